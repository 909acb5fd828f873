"""Presets on the bench as a person meets them, without a browser."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.ollama_server import ollama_server
from tests.pages.driving import DRAFTS, ask, html, open_app
from tests.pages.test_probing import MODEL, report
from workbench.engine import Engine
from workbench.store.presets import PresetStore

App = Callable[..., AppTest]
Opened = Callable[[], Engine]


def saved(engine: Opened) -> PresetStore:
    return PresetStore(engine().store.database)


def form(at: AppTest) -> AppTest:
    """Reflection with one round, a temperature and a limit."""
    at.button_group(key="machine").set_value("reflection").run()
    at.slider(key="option-reflection-rounds").set_value(1)
    at.number_input(key="setting-temperature").set_value(0.5)
    at.number_input(key="limit-tokens").set_value(4000)
    return at.run()


def is_that_form(at: AppTest) -> bool:
    return (
        at.button_group(key="machine").value == "reflection"
        and at.slider(key="option-reflection-rounds").value == 1
        and at.number_input(key="setting-temperature").value == 0.5
        and at.number_input(key="limit-tokens").value == 4000
    )


def save(at: AppTest, name: str) -> AppTest:
    at.text_input(key="preset-name").set_value(name)
    return at.button(key="preset-save").click().run()


def has(at: AppTest, key: str) -> bool:
    return key in [button.key for button in at.button]


def told(at: AppTest) -> str:
    return " ".join(warning.value.replace("\\", "") for warning in at.warning)


def test_a_form_is_saved_changed_put_back_updated_renamed_and_deleted(app: App, engine: Opened):
    at = save(form(app()), "My essay")
    assert [one.name for one in saved(engine).all()] == ["My essay"]
    assert at.query_params["preset"] == "My essay" and not has(at, "preset-update")
    at.slider(key="option-reflection-rounds").set_value(3).run()
    assert has(at, "preset-update")
    at.button(key="preset-again").click().run()
    assert is_that_form(at) and not has(at, "preset-update")
    at.slider(key="option-reflection-rounds").set_value(2).run()
    at.button(key="preset-update").click().run()
    assert saved(engine).find("My essay").content["options"]["rounds"] == 2
    at.text_input(key="preset-name").set_value("Yours")
    at.button(key="preset-rename").click().run()
    assert [one.name for one in saved(engine).all()] == ["Yours"]
    at.button(key="preset-delete").click().run()
    assert saved(engine).all()
    at.button(key="preset-delete-yes").click().run()
    assert saved(engine).all() == [] and "preset" not in at.query_params
    assert not at.exception


def test_a_name_that_is_taken_or_none_is_said(app: App, engine: Opened):
    at = save(app(), "One")
    save(at, "one")
    assert "already" in at.error[0].value
    save(at, "  ")
    assert "no name" in at.error[0].value
    assert len(saved(engine).all()) == 1 and not at.exception


def test_the_last_preset_is_restored_in_the_next_session_with_its_backend(app: App):
    at = form(app(WORKBENCH_BACKEND="embedded"))
    at.sidebar.selectbox(key="backend").set_value("scripted").run()
    save(at, "My essay")
    other = open_app()
    assert is_that_form(other)
    assert other.sidebar.selectbox(key="backend").value == "scripted"
    assert other.query_params["preset"] == "My essay" and not has(other, "preset-update")
    assert not other.exception


def test_the_last_form_that_was_run_is_restored_and_a_first_start_is_as_ever(app: App):
    at = app(DRAFTS)
    assert at.button_group(key="machine").value == "stepwise" and not at.warning
    form(at)
    assert open_app().button_group(key="machine").value == "stepwise"  # nothing was run yet
    ask(at, "Write an essay.")
    other = open_app()
    assert is_that_form(other) and other.text_area(key="question").value == ""
    assert "preset" not in other.query_params and "run" not in other.query_params
    assert not other.exception


def test_a_choice_against_the_probe_comes_back_also_where_it_is_the_usual_value(app: App, engine: Opened):
    def dialect(at: AppTest) -> str:
        at.run()  # what would suit is settled before each drawing
        assert not at.exception
        return str(at.button_group(key="option-react-dialect").value)

    with ollama_server() as server:
        behaviour = server.add(MODEL)
        at = app(OLLAMA_HOST=server.url, WORKBENCH_BACKEND="ollama", OLLAMA_MODEL=MODEL)
        at.button_group(key="machine").set_value("react").run()
        engine().probes.keep(report(behaviour.digest(MODEL), native=6))
        assert dialect(at) == "native"
        at.button_group(key="option-react-dialect").set_value("json").run()
        save(at, "As JSON")
        again = open_app()
        assert dialect(again) == "json" and not has(again, "preset-update")
        assert "The usual settings suit this model." in html(again)
        link = open_app(machine="react", backend="ollama", model=MODEL, dialect="json")
        assert dialect(link) == "json"
        again.button_group(key="option-react-dialect").set_value("native").run()
        assert has(again, "preset-update")
        again.button(key="preset-again").click().run()
        assert dialect(again) == "json" and not has(again, "preset-update")


def test_a_server_that_many_share_begins_as_ever(app: App):
    save(form(app(WORKBENCH_RESTORE="off")), "My essay")
    assert open_app().button_group(key="machine").value == "stepwise"
    assert is_that_form(open_app(preset="My essay"))


def test_a_link_fills_the_form_of_somebody_without_our_presets(app: App, engine: Opened):
    at = form(app())
    link = next(code.value for code in at.code if "machine=" in code.value)
    assert "/?machine=reflection&backend=scripted&model=demo&rounds=1" in link
    query = dict(part.split("=", 1) for part in link.partition("?")[2].split("&"))
    other = open_app(**query)
    assert is_that_form(other) and not other.warning
    assert saved(engine).all() == [] and engine().store.count() == 0
    assert not other.exception


def test_what_a_link_names_and_is_not_here_is_said_and_has_its_default(app: App, engine: Opened):
    app()
    other = open_app(
        machine="react",
        backend="ollama@lab",
        model="m",
        dialect="yaml",
        key="sk-1",
        **{"prompt.system": "ab12", "limit.steps": "7", "setting.seed": "<img src=x onerror=alert(1)>"},
    )
    said = told(other)
    for sentence in (
        "no backend named 'ollama@lab'",
        "dialect cannot be",
        "no 'key' among",
        "seed cannot be",
        "no role",
    ):
        assert sentence in said, sentence
    assert other.button_group(key="machine").value == "react"
    assert other.number_input(key="limit-steps").value == 7
    assert other.sidebar.selectbox(key="backend").value == "scripted"
    other.button(key="preset-told-dismiss").click().run()
    assert not other.warning and engine().store.count() == 0
    assert not other.exception


def test_a_link_that_is_none_of_ours_is_refused_in_a_sentence(app: App):
    app()
    other = open_app(machine="rm -rf")
    assert "no machine named 'rm -rf' here" in other.error[0].value.replace("\\", "")
    assert other.button_group(key="machine").value == "stepwise" and not other.exception


def test_a_link_opens_no_file_of_this_computer_as_a_model(app: App):
    app()
    other = open_app(machine="direct", backend="embedded", model="/etc/passwd")
    assert "Embedded has no model '/etc/passwd'" in told(other)
    assert other.sidebar.selectbox(key="backend").value == "embedded"
    assert "passwd" not in html(other) and not other.exception


def test_a_preset_of_what_is_gone_still_opens(app: App, engine: Opened):
    app()
    gone = {"machine": "direct", "backend": "scripted", "model": "retired", "options": {"haste": 1, "brief": True}}
    saved(engine).save("Old", gone)
    other = open_app(preset="Old")
    assert "no model 'retired'" in told(other) and "no 'haste'" in told(other)
    assert other.toggle(key="option-direct-brief").value is True
    saved(engine).used("Old", gone)
    assert "no model 'retired'" in told(open_app())
    missing = open_app(preset="Nobody's")
    assert "There is no preset named" in missing.error[0].value and not missing.exception
