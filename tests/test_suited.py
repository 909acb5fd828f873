"""Machines' defaults follow from a probe: what nobody chose, why, and never against what the person chose."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents import catalogue
from agents.contract import Abilities, Rate
from tests.runs import finish, request, scripted_engine
from workbench import suited
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.events import ModelCalled, RunStarted, Warned
from workbench.probe.report import Context, Report, Result, Schema, Speed, Tools
from workbench.request import ModelSettings, RunRequest
from workbench.settings import CHECKOUT, Settings

ALL, NONE, FEW = Rate(20, 20, 0.84, 1.0), Rate(0, 20, 0.0, 0.16), Rate(4, 20, 0.08, 0.42)
SIX, TWO = Rate(6, 6, 0.61, 1.0), Rate(2, 6, 0.1, 0.7)


def chosen(machine: str, known: Abilities) -> dict[str, Any]:
    return {one.option: one.value for one in suited.defaults(catalogue.load(machine), known)}


def because(machine: str, known: Abilities) -> str:
    return " ".join(one.because for one in suited.defaults(catalogue.load(machine), known))


@pytest.mark.parametrize(
    ("known", "dialect", "words"),
    [
        (Abilities(tools="native", native_calls=SIX), "native", "calls tools by itself, so ReAct lets it"),
        (Abilities(tools="native", native_calls=TWO), "json", "only 2 times of 6, so ReAct asks for JSON"),
        (Abilities(tools="text", native_calls=NONE, schema_retried=ALL), "json", "writes its tool calls as text"),
        (Abilities(tools="none", native_calls=NONE), "json", "does not call tools by itself, so ReAct asks for JSON"),
        (
            Abilities(tools="none", schema_retried=FEW, told_retried=NONE),
            "text",
            "Only 4 of 20 answers fit a schema, so",
        ),
        (Abilities(tools="none", schema_retried=NONE, told_retried=ALL), "json", "so ReAct asks for JSON"),
    ],
)
def test_react_speaks_the_dialect_that_the_model_knows(known: Abilities, dialect: str, words: str) -> None:
    assert chosen("react", known)["dialect"] == dialect
    assert words in because("react", known)


def test_what_is_not_known_changes_nothing() -> None:
    assert [suited.defaults(catalogue.load(name), Abilities()) for name in catalogue.MACHINES] == [
        [] for _ in catalogue.MACHINES
    ]


@pytest.mark.parametrize(
    ("machine", "known", "steps"),
    [
        ("react", Abilities(context_tokens=1_400), 3),
        ("react", Abilities(context_tokens=600), 2),
        ("react", Abilities(context_tokens=8_000), None),
        ("stepwise", Abilities(context_tokens=2_048), 11),
        ("stepwise", Abilities(decode_speed=2.0), 9),
        ("stepwise", Abilities(decode_speed=0.1), 3),
        ("stepwise", Abilities(decode_speed=34.0, context_tokens=8_000), None),
        ("stepwise", Abilities(decode_speed=2.0, context_tokens=1_024), 3),
    ],
)
def test_steps_are_fewer_where_the_context_or_the_speed_ends_them(
    machine: str, known: Abilities, steps: int | None
) -> None:
    assert chosen(machine, known).get("max_steps") == steps


def test_why_there_are_fewer_steps_is_said() -> None:
    assert because("stepwise", Abilities(context_tokens=2_048)) == (
        "The context of this model really ends at about 2,048 tokens, so Stepwise ends after 11 steps."
    )
    assert "writes only 2 tokens a second" in because("stepwise", Abilities(decode_speed=2.0))


@pytest.mark.parametrize(
    ("known", "constrain"),
    [
        (Abilities(schema=ALL, told=ALL), None),
        (Abilities(schema=NONE, told=ALL), False),
        (Abilities(schema=FEW, told=Rate(9, 20, 0.26, 0.66)), None),  # that may be chance
        (Abilities(schema_refused=True, told=FEW), False),
        (Abilities(schema_refused=True, told=NONE), None),
        (Abilities(schema=NONE), None),
    ],
)
def test_a_server_is_held_to_a_schema_unless_it_surely_does_better_without(known, constrain) -> None:
    assert chosen("stepwise", known).get(suited.CONSTRAIN) is constrain


def report(*findings: Any, key: str = "scripted|demo") -> Report:
    results = tuple(Result(check=finding.kind, status="measured", finding=finding) for finding in findings)
    fields = {"backend": "scripted", "model": "demo", "model_key": key, "created_at": "2026-11-01", "status": "done"}
    return Report(id="p1", program="1", depth="quick", results=results, **fields)  # type: ignore[arg-type]


NATIVE = Tools(native=SIX, wrong=0, text=0, none=0)
SLOW = Speed(prefill=20.0, decode=2.0, told=True, cold=None, warm=1.0)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    with scripted_engine(settings, ["One.", "Two."]) as engine:
        yield engine


def test_what_nobody_chose_follows_from_the_probe_and_the_request_says_so(engine: Engine) -> None:
    assert engine.resolved(request("react")).options["dialect"] == "json"
    engine.probes.keep(report(NATIVE, SLOW))
    found = engine.resolved(request("react"))
    assert found.options["dialect"] == "native" and found.options["max_steps"] == 7
    assert [(one.name, one.value, one.probe) for one in found.suited] == [("dialect", "native", "p1")]
    assert engine.resolved(request("stepwise")).options["max_steps"] == 9


def test_what_the_person_chose_wins(engine: Engine) -> None:
    engine.probes.keep(report(NATIVE))
    found = engine.resolved(request("react", dialect="json"))
    assert found.options["dialect"] == "json" and found.suited == ()


def test_what_suits_never_contradicts_what_the_person_chose(engine: Engine) -> None:
    engine.probes.keep(report(SLOW))
    found = engine.resolved(request("stepwise", min_steps=20))
    assert (found.options["min_steps"], found.options["max_steps"], found.suited) == (20, 25, ())


def test_a_probe_of_another_model_says_nothing(engine: Engine) -> None:
    engine.probes.keep(report(NATIVE).model_copy(update={"model": "other"}))
    assert engine.resolved(request("react")).suited == ()


def test_the_log_says_which_defaults_came_from_the_probe_and_what_is_run_again_is_not_chosen_anew(
    settings: Settings,
) -> None:
    with scripted_engine(settings, ["Done.", "Done.", "Done."]) as engine:
        engine.probes.keep(report(NATIVE))
        events, view = finish(engine, first := engine.submit(request("react")))
        started = events[0]
        assert isinstance(started, RunStarted) and view.status == "answered"
        assert started.request["suited"][0]["because"] == "This model calls tools by itself, so ReAct lets it."
        engine.probes.keep(
            report(Tools(native=Rate(0, 6, 0, 0.4), wrong=0, text=6, none=0)).model_copy(update={"id": "p2"})
        )
        again, _ = finish(engine, engine.reproduce(first))
        assert isinstance(again[0], RunStarted) and again[0].request["options"]["dialect"] == "native"
        chosen = RunRequest.model_validate(started.request).model_copy(update={"options": {"dialect": "text"}})
        assert engine._resolved(chosen).suited == ()


def test_a_probe_of_another_version_of_the_model_is_warned_about(settings: Settings) -> None:
    class Changed(ScriptedBackend):
        async def model(self, name: str):  # type: ignore[no-untyped-def]
            return (await super().model(name)).model_copy(update={"digest": "sha256:new"})

    engine = Engine(settings, {"scripted": Changed(["Done.", "Done."])})
    try:
        engine.probes.keep(report(NATIVE, key="sha256:old"))
        events, _ = finish(engine, engine.submit(request("react")))
        warned = [event for event in events if isinstance(event, Warned)]
        assert [event.code for event in warned] == ["probe_of_another_version"]
        assert "(dialect)" in warned[0].message and "Probe it again" in warned[0].message
        events, _ = finish(engine, engine.submit(request("direct")))
        assert not any(isinstance(event, Warned) for event in events)
    finally:
        engine.close()


def test_without_constraint_the_prompt_tells_the_schema_and_the_answer_is_still_held_to_it(settings: Settings) -> None:
    wrong, right = "Prose.", '{"issues": [], "score": 9, "verdict": "accept"}'
    with scripted_engine(settings, ["A draft.", wrong, f"```json\n{right}\n```"]) as engine:
        engine.probes.keep(report(Schema(held=NONE, held_retried=NONE, told=ALL, told_retried=ALL)))
        events, view = finish(engine, engine.submit(request("reflection")))
        assert view.status == "answered"
        calls = [event for event in events if isinstance(event, ModelCalled)]
        for call in calls[1:]:
            assert call.parameters["constrained"] is False and call.parameters["json_schema"]["title"] == "Verdict"
            assert "JSON schema:" in call.messages[-1]["content"]
        assert "constrained" not in calls[0].parameters and "JSON schema" not in calls[0].messages[-1]["content"]
        backend = engine.backend("scripted")
        assert isinstance(backend, ScriptedBackend)
        assert [asked.enforced_schema for asked in backend.requests] == [None, None, None]


def test_lanes_of_an_experiment_are_the_same_whoever_chose(engine: Engine) -> None:
    from workbench.experiments.cells import LaneBase

    engine.probes.keep(report(NATIVE))
    by_probe = engine.resolved(request("react"))
    by_person = engine.resolved(request("react", dialect="native"))
    keys = [LaneBase(one.model_dump(mode="json"), "", "").key("Why?", 7) for one in (by_probe, by_person)]
    assert keys[0] == keys[1]


def test_only_an_end_that_was_found_counts_as_the_contexts() -> None:
    from workbench.probe import abilities

    known = abilities.of(report(Context(holds=2_048, end="not reached", window=8_192)))
    assert known.context_tokens is None
    known = abilities.of(report(Context(holds=1_000, end="cut", window=8_192, ended_at=1_024)))
    assert known.context_tokens == 1_000


WINDOW = Context(holds=1_400, end="window", window=1_500, asked=1_500)
CUT = Context(holds=1_400, end="cut", window=8_192, ended_at=1_500)


@pytest.mark.parametrize(
    ("context", "backend", "window", "steps"),
    [
        (WINDOW, "ollama", 1_500, 3),
        (WINDOW, "ollama", None, None),
        (WINDOW, "ollama", 16_384, None),
        (WINDOW, "ollama", 1_240, 2),
        (CUT, "ollama", None, 3),
        (CUT, "ollama@lab", 16_384, None),
        (CUT, "openai", 16_384, 3),  # a server that is not told a window cuts as before
        (CUT, "openai@lab", 1_240, 2),
        (Context(holds=2_048, end="not reached", window=8_192), "ollama", 1_240, 2),
        (None, "ollama", 1_240, None),
    ],
)
def test_steps_follow_from_the_window_of_the_run(
    context: Context | None, backend: str, window: int | None, steps: int | None
) -> None:
    probe = report(*([context] if context else [NATIVE])).model_copy(update={"backend": backend})
    asked = request("react").model_copy(update={"settings": ModelSettings(context_window=window)})
    filled = suited.filled(catalogue.load("react"), asked, probe)
    assert filled.options.get("max_steps") == steps


def test_a_run_whose_prompt_is_summarised_keeps_its_steps() -> None:
    for options, steps in (({}, 3), ({"summarise": "when_needed"}, None)):
        asked = request("react", **options)
        assert suited.filled(catalogue.load("react"), asked, report(CUT)).options.get("max_steps") == steps


def test_a_window_that_is_asked_for_is_named_as_the_cause() -> None:
    asked = request("react").model_copy(update={"settings": ModelSettings(context_window=1_240)})
    [told] = suited.filled(catalogue.load("react"), asked, report(CUT)).suited
    assert told.because == "The context window that is asked for has 1,240 tokens, so ReAct ends after 2 steps."


@pytest.mark.parametrize("name", catalogue.MACHINES)
def test_a_machine_that_wants_no_schemas_asks_for_none(name: str) -> None:
    source = (CHECKOUT / "agents" / f"{name}.py").read_text(encoding="utf-8")
    asks = ", schema=" in source.replace("context_schema=", "") or "react_dialects" in source
    assert asks <= catalogue.load(name).wants_schemas
    known = Abilities(schema=NONE, told=ALL)
    assert (suited.CONSTRAIN in chosen(name, known)) == catalogue.load(name).wants_schemas
