"""What the bench offers when a prompt does not fit the context window."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.driving import ask, html
from workbench.backends.base import ModelInfo
from workbench.backends.scripted import ScriptedBackend
from workbench.context import Size
from workbench.engine import Engine
from workbench.events import RunStarted, Summarised
from workbench.request import ModelSettings, RunRequest
from workbench.ui import session, ways_out
from workbench.ui.ways_out import larger


class Fixed(ScriptedBackend):
    """A backend like OpenAI's: a request has no field for the window."""

    fixes_window = True

    def __init__(self, window: int | None) -> None:
        super().__init__([], model="m")
        self._window = window

    async def model(self, name: str) -> ModelInfo:
        return ModelInfo(name=name, context_window=self._window)


App = Callable[..., AppTest]
Shared = Callable[[], Engine]


def thought(number: int, action: str = "continue") -> dict[str, Any]:
    words = " ".join(f"word{number}x{place}" for place in range(90))
    return {"object": {"title": f"Part {number}", "content": words, "next_action": action}}


def overflowed(app: App, *rest: Any) -> AppTest:
    """A stepwise run that has come to the end of its window; `rest` is what the model says after that."""
    at = app([*(thought(number) for number in range(4)), *rest])
    at.number_input(key="setting-context_window").set_value(512).run()
    at = ask(at, "How far is it?")
    assert "The prompt has" in html(at) and "the context window holds 512" in html(at)
    return at


def offered(at: AppTest) -> list[str]:
    return [button.label for button in at.button if button.label.startswith("Go on with")]


def test_a_run_that_overflowed_goes_on_with_a_larger_window(app: App, engine: Shared) -> None:
    at = overflowed(app, thought(5, "final_answer"), "It is far.")
    assert offered(at) == ["Go on with 1,024", "Go on with 2,048", "Go on with summaries"]
    before = at.query_params["run"]
    at.button(key="way-out-ended-window-1024").click().run()
    run_id = at.query_params["run"]
    assert run_id != before and engine().store.run(run_id).parent == before
    assert "It is far." in html(at) and at.number_input(key="setting-context_window").value == 1_024
    assert not offered(at) and not at.exception


def test_a_run_that_overflowed_goes_on_with_summaries(app: App, engine: Shared) -> None:
    at = overflowed(app, "Every part was short.", thought(5, "final_answer"), "It is far.")
    at.button(key="way-out-ended-summarise").click().run()
    events = engine().store.events(at.query_params["run"])
    assert any(isinstance(event, Summarised) and event.text == "Every part was short." for event in events)
    started = next(event for event in events if isinstance(event, RunStarted))
    assert started.request["options"]["summarise"] == "when_needed" and started.relation == "fork"
    assert "It is far." in html(at) and "What was left out" in html(at)
    assert at.session_state[session.field_key(session.option_prefix("stepwise"), "summarise")] == "when_needed"
    assert not at.exception


def test_a_first_prompt_that_is_too_long_is_offered_only_what_can_help(app: App) -> None:
    at = app([thought(1)])
    at.number_input(key="setting-context_window").set_value(512).run()
    at = ask(at, "word " * 900)
    assert offered(at) == ["Go on with 2,048", "Go on with 4,096"]
    assert not at.exception


@pytest.mark.parametrize(
    ("server", "own", "sizes"), [(1_024, None, []), (4_096, 1_024, [2_048, 4_096]), (None, 1_024, [2_048, 4_096])]
)
def test_where_a_server_fixes_the_window_no_larger_one_is_offered(
    app: App, engine: Shared, monkeypatch: pytest.MonkeyPatch, server: int | None, own: int | None, sizes: list[int]
) -> None:
    app()
    settings = ModelSettings(context_window=own)
    asked = RunRequest(machine="stepwise", question="How far?", backend="fixed", model="m", settings=settings)
    monkeypatch.setitem(engine()._backends, "fixed", Fixed(server))
    found = ways_out.offers(asked, Size(900, own or server, "measured"))
    assert [one.window for one in found] == sizes


def test_an_answered_run_offers_no_way_out(app: App) -> None:
    at = ask(app(), "How far is it?")
    assert not offered(at) and not at.exception


@pytest.mark.parametrize(
    ("window", "trained", "sizes"),
    [
        (8_192, 32_768, [16_384, 32_768]),
        (8_192, 20_000, [16_384, 20_000]),
        (8_192, 8_192, []),
        (4_096, 131_072, [8_192, 16_384, 32_768]),
        (8_192, None, [16_384, 32_768]),
    ],
)
def test_windows_are_offered_up_to_what_the_model_was_trained_for(
    window: int, trained: int | None, sizes: list[int]
) -> None:
    assert larger(window, trained) == sizes
