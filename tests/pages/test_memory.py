"""The Memory page as a person meets it: what runs have stored, and what the person makes of it."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.pages.driving import html, open_app
from tests.runs import at_rest, request
from workbench.engine import Engine
from workbench.store.memories import New

App = Callable[..., AppTest]
Opened = Callable[[], Engine]
SEEN = [New("Ada has a dog.", 5), New("Ada moves to Porto.", 8)]


def memory(at: AppTest) -> AppTest:
    return at.switch_page("pages/memory.py").run()


def filled(app: App, engine: Opened) -> AppTest:
    """The page with three memories in one stream and one in another."""
    at = app()
    dog, move = engine().memories.add("default", SEEN, "run-1")
    engine().memories.add("default", [New("Ada's dog moves too.", 7, "reflection", (dog.id, move.id))], "run-1")
    engine().memories.add("work", [New("The report is due on Friday.", 6)])
    return memory(at)


def errors(at: AppTest) -> str:
    return "\n".join(one.value.replace("\\", "") for one in at.error)


def id_of(engine: Opened, text: str, stream: str = "default") -> str:
    return next(one.id for one in engine().memories.of(stream) if one.text == text)


def texts(engine: Opened, stream: str = "default") -> list[str]:
    return [one.text for one in engine().memories.of(stream)]


def test_before_the_first_memory_the_page_says_where_they_come_from(app: App):
    at = memory(app())
    assert "No memories yet" in html(at) and "a fork" in html(at) and not at.exception


def test_memories_are_listed_newest_first_with_all_that_is_known_of_them(app: App, engine: Opened):
    at = filled(app, engine)
    shown = html(at)
    assert shown.index("Ada&#x27;s dog moves too.") < shown.index("Ada moves to Porto.</p>")
    assert "importance 8 · stored just now" in shown and "Comes from 2 memories" in shown and "3 memories" in shown
    assert 'href="./?run=run-1"' in shown
    assert "The report is due" not in shown and not at.exception


def test_a_search_a_kind_and_another_stream_narrow_the_list(app: App, engine: Opened):
    at = filled(app, engine)
    at.text_input(key="memory-search").set_value("PORTO ada").run()
    assert "1 memory<" in html(at) and "Ada moves to Porto." in html(at)
    at.selectbox(key="memory-kind").set_value("reflection").run()
    assert "Nothing found" in html(at)
    at.text_input(key="memory-search").set_value("").run()
    assert "1 memory<" in html(at) and "dog moves too" in html(at)
    at.selectbox(key="memory-kind").set_value("").run()
    at.selectbox(key="stream").set_value("work").run()
    assert "The report is due on Friday." in html(at) and "by you" in html(at)
    assert not at.exception


def test_text_and_importance_are_edited(app: App, engine: Opened):
    at = filled(app, engine)
    dog = id_of(engine, "Ada has a dog.")
    at.button(key=f"edit-{dog}").click().run()
    at.text_area(key=f"memory-{dog}-text").set_value("Ada has two dogs.")
    at.slider(key=f"memory-{dog}-importance").set_value(9.0)
    at.button(key=f"memory-{dog}-save").click().run()
    kept = engine().memories.find(dog)
    assert (kept.text, kept.importance) == ("Ada has two dogs.", 9.0)
    assert "Ada has two dogs." in html(at) and not at.error and not at.exception


def test_what_cannot_be_saved_is_said_and_stays_in_its_field(app: App, engine: Opened):
    at = filled(app, engine)
    dog = id_of(engine, "Ada has a dog.")
    at.button(key=f"edit-{dog}").click().run()
    at.text_area(key=f"memory-{dog}-text").set_value("Ada moves to porto.")
    at.button(key=f"memory-{dog}-save").click().run()
    assert "has this memory already" in errors(at)
    assert at.text_area(key=f"memory-{dog}-text").value == "Ada moves to porto."
    at.button(key=f"memory-{dog}-leave").click().run()
    assert "Ada has a dog." in html(at) and not at.exception


def test_a_memory_is_deleted_after_a_question(app: App, engine: Opened):
    at = filled(app, engine)
    dog = id_of(engine, "Ada has a dog.")
    at.button(key=f"delete-{dog}").click().run()
    assert "Ada has a dog." in texts(engine) and "cannot be undone" in html(at)
    at.button(key="delete-for-good").click().run()
    assert "Ada has a dog." not in texts(engine)
    assert "a memory that was deleted" in html(at) and not at.exception


def test_a_second_tab_that_deletes_what_is_gone_is_told_so(app: App, engine: Opened):
    at = filled(app, engine)
    dog = id_of(engine, "Ada has a dog.")
    other = memory(open_app())
    other.button(key=f"delete-{dog}").click().run()
    engine().memories.remove(dog)
    other.button(key="delete-for-good").click().run()
    assert "There is no memory" in errors(other) and not other.exception
    at.button(key=f"edit-{dog}").click().run()
    assert "Ada has a dog.</p>" not in html(at) and not at.exception


def test_the_person_adds_one_once(app: App, engine: Opened):
    at = filled(app, engine)
    for number in range(2):
        key = f"memory-new-{number}"
        at.text_area(key=f"{key}-text").set_value("Ada likes tea.")
        at.slider(key=f"{key}-importance").set_value(2.0)
        at.text_input(key=f"{key}-stream").set_value("home")
        at.button(key=f"{key}-add").click().run()
    assert texts(engine, "home") == ["Ada likes tea."] and "has this memory already" in errors(at)
    assert at.selectbox(key="stream").value == "home" and not at.exception


def test_a_stream_is_deleted_after_a_question(app: App, engine: Opened):
    at = filled(app, engine)
    at.button(key="memory-delete-stream").click().run()
    assert "All its 3 memories are deleted." in html(at)
    at.button(key="delete-for-good").click().run()
    assert [row.name for row in engine().memories.streams()] == ["work"]
    assert "The report is due" in html(at) and not at.exception


def test_what_a_run_has_stored_is_there_when_it_has_ended(app: App, engine: Opened):
    said = [
        {"object": {"observations": [{"observation": "Ada has a cat.", "importance": 4}]}},
        {"text": "A quiet one."},
        {"object": {"observation": "Ada asked for a flat.", "importance": 2}},
    ]
    at = app(said)
    at_rest(engine(), engine().submit(request("memory_stream", "Which flat?", plan=False)))
    shown = html(memory(at))
    assert "Ada has a cat." in shown and "Ada asked for a flat." in shown and "by you" not in shown
