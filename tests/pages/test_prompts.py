"""The prompt library as a person meets it: write a version, compare, try it, make it the default, carry it."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import DRAFTS, ask, html, open_app
from workbench import prompts
from workbench.engine import Engine
from workbench.events import RunStarted

App = Callable[..., AppTest]
Opened = Callable[[], Engine]
ROLE = ("reflection", "essay_generator")
KEY = "prompt-reflection-essay_generator-0"


def library(at: AppTest, role: str = "essay_generator", **query: str) -> AppTest:
    """The page, at the address of a role of the reflection machine."""
    for name in ("machine", "role", "version"):
        at.query_params.pop(name, None)
    at.query_params.update({"machine": "reflection", "role": role, **query})
    return at.switch_page("pages/prompts.py").run()


def write(at: AppTest, template: str, note: str = "", key: str = KEY) -> AppTest:
    """Type another template into a version's editor and save it."""
    at.text_area(key=f"{key}-template").set_value(template)
    at.text_input(key=f"{key}-note").set_value(note)
    return at.button(key="prompt-save").click().run()


def headings(at: AppTest) -> list[str]:
    return [one.value.replace("\\", "") for one in at.subheader]


def errors(at: AppTest) -> str:
    return "\n".join(one.value.replace("\\", "") for one in at.error)


def begun(engine: Engine) -> RunStarted:
    """How the newest run began."""
    event = engine.store.events(engine.store.runs()[0].id)[0]
    assert isinstance(event, RunStarted)
    return event


def reflect(at: AppTest) -> AppTest:
    at.button_group(key="machine").set_value("reflection").run()
    return ask(at, "Write about the sea.")


def test_the_page_opens_with_the_machine_of_the_bench_and_its_default_version(app: App):
    at = app()
    at.button_group(key="machine").set_value("reflection").run()
    at.switch_page("pages/prompts.py").run()
    assert headings(at) == ["Essay generator, built-in"]
    assert at.text_area(key=f"{KEY}-template").value.startswith("You are a writing assistant")
    assert dict(at.query_params) == {"machine": "reflection", "role": "essay_generator"}
    assert not at.exception


def test_a_saved_version_is_listed_with_note_author_and_hash_and_is_open(app: App, engine: Opened):
    at = library(app())
    at.text_input(key="prompt-author").set_value("Ada")
    write(at, "Write <b>tersely</b>.", "Shorter")
    saved = engine().prompts.find(*ROLE, "1")
    assert headings(at) == ["Essay generator, version 1"] and at.query_params["version"] == "1"
    assert "Saved as version 1" in html(at) and "Shorter" in html(at)
    assert "Ada" in html(at) and saved.digest in html(at)
    assert open_app().switch_page("pages/prompts.py").run().text_input(key="prompt-author").value == "Ada"
    assert not at.exception


def test_the_same_words_are_said_to_be_there_already(app: App, engine: Opened):
    at = write(library(app()), prompts.built_in(*ROLE).template)
    assert "Nothing was saved: built-in says exactly this." in html(at)
    assert len(engine().prompts.versions(*ROLE)) == 1


def test_what_cannot_be_filled_is_said_at_the_template_and_what_was_typed_stays(app: App, engine: Opened):
    at, key = library(app(), "revise"), "prompt-reflection-revise-0"
    at = write(at, "Grade:\n$scor\n$issues", "A note", key)
    assert "Line 2: $scor is not a variable of this role; it has $score, $issues." in errors(at)
    assert "Did you mean $score?" in errors(at)
    assert at.text_area(key=f"{key}-template").value == "Grade:\n$scor\n$issues"
    assert at.text_input(key=f"{key}-note").value == "A note"
    assert len(engine().prompts.versions("reflection", "revise")) == 1
    write(at, "Grade: $score\n$issues", "A note", key)
    assert "Saved as version 1" in html(at) and not at.error


def test_a_role_without_examples_says_so(app: App):
    at = library(app(), "revise")
    assert any("shows no worked examples to this role" in one.value for one in at.caption)
    assert not [one for one in at.button if one.label == "Add an example"]


def test_examples_are_written_as_turns(app: App, engine: Opened):
    at = library(app())
    at.button(key=f"{KEY}-more").click().run()
    areas = [one for one in at.text_area if "-turn-" in str(one.key)]
    assert [one.label for one in areas] == ["Turn 1", "Turn 2"]
    areas[0].set_value("A task.")
    at.button(key="prompt-save").click().run()
    assert "Turn 2 of example 1 is empty" in errors(at)
    [one for one in at.text_area if "-turn-" in str(one.key)][1].set_value("A text.")
    at.button(key="prompt-save").click().run()
    (example,) = engine().prompts.find(*ROLE, "1").examples
    assert [(turn.role, turn.content) for turn in example.turns] == [("user", "A task."), ("assistant", "A text.")]
    assert not at.exception


def test_turns_and_examples_can_be_added_and_removed(app: App, engine: Opened):
    at = library(app())
    at.button(key=f"{KEY}-more").click().run()
    add = next(one for one in at.button if one.label == "Add a turn")
    add.click().run()
    roles = [one.value for one in at.selectbox if "-turn-" in str(one.key)]
    assert roles == ["user", "assistant", "user"]
    next(one for one in at.button if one.label == "Remove").click().run()
    assert [one.value for one in at.selectbox if "-turn-" in str(one.key)] == ["assistant", "user"]
    next(one for one in at.button if one.label == "Remove the example").click().run()
    assert not [one for one in at.text_area if "-turn-" in str(one.key)]
    assert not at.exception


def test_a_draft_stays_while_one_looks_elsewhere_and_can_be_discarded(app: App):
    at = write(library(app()), "Write tersely.")
    at.text_area(key="prompt-reflection-essay_generator-1-template").set_value("Half a thought")
    at.button(key="prompt-open-0").click().run()
    assert headings(at) == ["Essay generator, built-in"]
    at.button(key="prompt-open-1").click().run()
    assert at.text_area(key="prompt-reflection-essay_generator-1-template").value == "Half a thought"
    at.button(key="prompt-discard").click().run()
    assert at.text_area(key="prompt-reflection-essay_generator-1-template").value == "Write tersely."
    assert not at.exception


def test_any_two_versions_are_a_word_diff(app: App, engine: Opened):
    at = app()
    engine().prompts.save(*ROLE, "Write a short text.")
    engine().prompts.save(*ROLE, "Write a long text.")
    at = library(at, version="2")
    at.button_group(key="prompt-view").set_value("Changes").run()
    assert "Write a <del>short</del><ins>long</ins> text." in html(at)
    at.selectbox(key="prompt-reflection-essay_generator-2-against-From").set_value(2).run()
    assert "They say the same." in html(at)
    assert not at.exception


def test_a_version_is_named_and_tagged_and_a_taken_name_is_said_in_the_form(app: App, engine: Opened):
    at = app()
    engine().prompts.save(*ROLE, "Write a short text.")
    engine().prompts.save(*ROLE, "Write a long text.")
    for version, name in (("1", "terse"), ("2", "Terse")):
        at = library(at, version=version)
        key = f"prompt-reflection-essay_generator-{version}-naming"
        at.text_input(key=f"{key}-name").set_value(name)
        at.text_input(key=f"{key}-tags").set_value("short, old")
        next(one for one in at.button if one.label == "Keep").click().run()
    assert "Version 1 is called 'terse'." in errors(at)
    assert engine().prompts.find(*ROLE, "terse").tags == ("short", "old")
    assert engine().prompts.find(*ROLE, "2").name == ""
    assert not at.exception


def test_a_version_is_tried_on_the_bench_and_let_go_with_a_click(app: App, engine: Opened):
    at = app(DRAFTS * 2)
    engine().prompts.save(*ROLE, "Write tersely.")
    engine().prompts.rename(*ROLE, 1, "terse")
    at = library(at, version="1")
    at.button(key="prompt-try").click().run()
    assert at.button(key="unword-essay_generator").label.replace("\\", "") == "essay generator: version 1 · terse ×"
    at.switch_page("pages/bench.py")  # AppTest does not follow the page's own turning
    ask(at, "Write about the sea.")
    assert begun(engine()).request["prompts"] == {"essay_generator": "Write tersely."}
    at.button(key="unword-essay_generator").click().run()
    ask(at, "Write about the sea.")
    assert begun(engine()).request["prompts"] == {}
    assert not at.exception


def test_a_default_of_ones_own_is_a_chip_and_the_built_in_can_be_chosen_instead(app: App, engine: Opened):
    at = app(DRAFTS)
    engine().prompts.save(*ROLE, "Write tersely.")
    at = library(at, version="1")
    at.button(key="prompt-default").click().run()
    assert "New runs use version 1 now." in html(at)
    at.switch_page("pages/bench.py").run()
    at.button_group(key="machine").set_value("reflection").run()
    assert any("`essay generator: version 1`" in one.label for one in at.expander)
    at.selectbox(key="wording-reflection-essay_generator").set_value(0).run()
    ask(at, "Write about the sea.")
    assert begun(engine()).prompts["essay_generator"] == prompts.built_in(*ROLE).digest
    at = library(at, version="0")
    at.button(key="prompt-default").click().run()
    assert engine().prompts.defaults("reflection") == {}
    assert not at.exception


def test_an_opened_run_shows_its_versions_and_what_they_change(app: App, engine: Opened):
    at = app(DRAFTS * 2)
    engine().prompts.save(*ROLE, prompts.built_in(*ROLE).template.replace("excellent", "terse"))
    engine().prompts.make_default(*ROLE, 1)
    reflect(at)
    used = next(one for one in at.expander if one.label.startswith("Prompts of this run"))
    assert used.label == "Prompts of this run: essay generator version 1"
    assert "<del>excellent</del><ins>terse</ins>" in html(at)
    assert "essay critic <b>built-in</b>" in html(at)
    run_id = engine().store.runs()[0].id
    asked = begun(engine()).request["prompts"] | {"revise": "$score $issues, please"}
    request = engine().resolved(_request(engine(), run_id)).model_copy(update={"prompts": asked})
    other = engine().submit(request)
    list(engine().follow(other))
    at = open_app(run=other)
    assert "revise <b>edited for this run</b>" in html(at)
    assert not at.exception


def _request(engine: Engine, run_id: str) -> Any:
    from workbench.job import first_request

    return first_request(engine.store.events(run_id))


def test_an_opened_run_brings_its_version_into_the_form(app: App, engine: Opened):
    at = app(DRAFTS)
    engine().prompts.save(*ROLE, "Write tersely.")
    engine().prompts.make_default(*ROLE, 1)
    reflect(at)
    engine().prompts.make_default(*ROLE, 0)
    other = open_app(run=engine().store.runs()[0].id)
    assert "version 1" in other.button(key="unword-essay_generator").label
    assert not other.exception


def test_a_good_run_becomes_an_example_with_one_click_and_is_read_before_it_is_kept(app: App, engine: Opened):
    at = app(DRAFTS)
    reflect(at)
    at.button(key="use-example").click().run()
    at.switch_page("pages/prompts.py")  # AppTest does not follow the page's own turning
    assert headings(at) == ["Essay generator, built-in"]
    assert "Example 1 is from run" in html(at)
    assert len(engine().prompts.versions(*ROLE)) == 1
    turns = [one.value for one in at.text_area if "-turn-" in str(one.key)]
    assert turns[0] == "Write about the sea." and turns[-1] == "A better draft about the sea."
    at.button(key="prompt-save").click().run()
    (example,) = engine().prompts.find(*ROLE, "1").examples
    assert [turn.content for turn in example.turns] == turns
    assert "is from run" not in html(at)
    assert not at.exception


def test_an_example_is_added_to_an_unsaved_draft_and_taken_out_alone(app: App, engine: Opened):
    at = library(app(DRAFTS))
    at.text_area(key=f"{KEY}-template").set_value("My long unsaved work.")
    at.button(key=f"{KEY}-more").click().run()
    mine = [one.key for one in at.text_area if "-turn-" in str(one.key)]
    for key in mine:
        at.text_area(key=key).set_value("Mine.")
    at.run()
    at.switch_page("pages/bench.py").run()
    reflect(at)
    for _ in range(2):  # the second time the same example is shown, not added once more
        at.switch_page("pages/bench.py").run()
        at.button(key="use-example").click().run()
        at.switch_page("pages/prompts.py").run()
        assert at.text_area(key=f"{KEY}-template").value == "My long unsaved work."
        assert "Example 2 is from run" in html(at)
        turns = [one for one in at.text_area if "-turn-" in str(one.key)]
        assert [one.key for one in turns][:2] == mine and turns[2].value == "Write about the sea."
        assert len([one for one in at.button if one.label == "Remove the example"]) == 2
    at.button(key="prompt-untake").click().run()
    assert [one.key for one in at.text_area if "-turn-" in str(one.key)] == mine
    assert at.text_area(key=f"{KEY}-template").value == "My long unsaved work."
    assert at.text_area(key=mine[0]).value == "Mine." and "is from run" not in html(at)
    assert at.text_input(key=f"{KEY}-note").value == ""
    assert not at.exception


def test_an_example_can_be_taken_for_another_role_of_the_run_or_not_at_all(app: App, engine: Opened):
    at = app(DRAFTS)
    reflect(at)
    at.button(key="use-example").click().run()
    at.switch_page("pages/prompts.py")  # AppTest does not follow the page's own turning
    at.button(key="prompt-take-essay_critic").click().run()
    assert headings(at) == ["Essay critic, built-in"]
    assert '"verdict": "accept"' in [one.value for one in at.text_area if "-turn-" in str(one.key)][-1]
    at.button(key="prompt-untake").click().run()
    assert not [one for one in at.text_area if "-turn-" in str(one.key)]
    assert "is from run" not in html(at)
    assert not at.exception


def test_a_pasted_file_is_imported_and_a_bad_one_is_said_at_the_field(app: App, engine: Opened):
    at = app()
    engine().prompts.save(*ROLE, "Write tersely.")
    text = engine().prompts.export(*ROLE)
    at = library(at)
    at.text_area(key="prompt-file-pasted").set_value(text.replace("tersely", "$tersely"))
    at.button(key="prompt-import").click().run()
    assert "line 1: $tersely is not a variable of this role" in errors(at)
    assert "reflection, essay_generator, line 5 of the file" in errors(at)
    at.text_area(key="prompt-file-pasted").set_value(text.replace("tersely", "wittily"))
    at.button(key="prompt-import").click().run()
    assert headings(at) == ["Essay generator, version 2"] and "Added: essay generator version 2" in html(at)
    at.text_area(key="prompt-file-pasted").set_value(text)
    at.button(key="prompt-import").click().run()
    assert "Nothing was new; 1 there already." in html(at)
    assert not at.exception


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"machine": "muse"}, "There is no machine named 'muse'"),
        ({"machine": "reflection", "role": "poet"}, "This machine has no role 'poet'"),
        ({"machine": "reflection", "role": "revise", "version": "9"}, "There is no version 9 of this role"),
        ({"machine": "reflection", "role": "revise", "version": "9" * 5_000}, "There is no version 999999999… of"),
        ({"machine": "reflection", "role": "revise", "version": "-1"}, "There is no version -1 of this role"),
    ],
)
def test_an_address_that_names_nothing_is_said_and_leads_somewhere(app: App, query: dict[str, str], says: str):
    at = app()
    at.query_params.update(query)
    at.switch_page("pages/prompts.py").run()
    assert says in errors(at) and headings(at)
    assert not at.exception


def test_another_machine_turns_to_its_first_role(app: App):
    at = library(app(), "revise")
    at.button_group(key="prompt-machine").set_value("stepwise").run()
    assert headings(at) == ["System, built-in"]
    at.selectbox(key="prompt-role").set_value("conclude").run()
    assert headings(at) == ["Conclude, built-in"]
    assert dict(at.query_params) == {"machine": "stepwise", "role": "conclude"}
    assert not at.exception
