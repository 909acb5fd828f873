"""What every machine in the catalogue keeps to."""

import ast
import inspect
import sys
from typing import get_args

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic_core import PydanticUndefined

from agents import catalogue
from agents.contract import Role
from tests.runs import at_rest, finish, request, run, scripted_engine
from workbench import prompts
from workbench.backends.scripted import create as create_demo
from workbench.engine import Engine
from workbench.events import NodeFinished
from workbench.recorder import graph_of
from workbench.request import Reply

machines = pytest.mark.parametrize("name", catalogue.MACHINES)

# Options with which the demo passes every node, where it does not by itself.
EVERY_NODE = {"debate": {"closing": "judge"}}


@machines
def test_it_says_what_it_is_and_where_it_comes_from(name):
    machine = catalogue.load(name)
    assert machine.name == name
    assert machine.title and machine.summary.endswith(".") and machine.source
    assert machine.source_url.startswith("https://")
    assert len(machine.examples) >= 2
    assert 0 <= machine.temperature <= 2


@machines
def test_every_option_has_a_default_a_description_and_bounds(name):
    for option, field in catalogue.load(name).options.model_fields.items():
        assert field.description and field.description.endswith("."), option
        assert field.default is not PydanticUndefined, option
        if field.annotation in (int, float):
            bounds = {type(rule).__name__ for rule in field.metadata}
            assert {"Ge", "Le"} <= bounds, option


@machines
def test_every_node_has_a_role_and_every_end_is_reachable(name):
    machine = catalogue.load(name)
    graph = graph_of(machine)
    inner = {node.name for node in graph.nodes} - {"__start__", "__end__"}
    assert inner == set(machine.nodes)
    assert set(machine.nodes.values()) <= set(get_args(Role))
    assert any(edge.target == "__end__" for edge in graph.edges)
    assert {edge.target for edge in graph.edges} >= inner


@machines
def test_nodes_and_routers_are_coroutines_since_langgraph_runs_plain_functions_in_threads(name):
    graph = catalogue.load(name).build()
    routers = [branch.path for branches in graph.branches.values() for branch in branches.values()]
    assert routers or len(graph.nodes) == 1
    for runnable in [*routers, *(node.runnable for node in graph.nodes.values())]:
        assert runnable.afunc is not None and runnable.func is None


@machines
def test_its_file_reads_like_a_figure(name):
    source = inspect.getsource(sys.modules[catalogue.load(name).build.__module__])
    assert len(source.splitlines()) <= 140
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert max((n.end_lineno or 0) - n.lineno + 1 for n in functions) <= 25


@machines
def test_its_prompts_are_all_used(name):
    module = sys.modules[catalogue.load(name).build.__module__]
    source = inspect.getsource(module)
    for role in prompts.load(name).roles:
        stem = role.partition("_")[2]
        assert f'"{role}"' in source or f"_{stem}" in source, role


@machines
def test_the_demo_plays_it_to_its_answer_again_and_again(name, settings):
    backend = create_demo(settings.model_copy(update={"script_speed": 0}))
    with scripted_engine(settings, []) as engine:
        engine._backends["scripted"] = backend
        for _ in range(2):
            _, view = finish(engine, engine.submit(request(name)))
            assert view.status == "answered", view.finished
            assert view.finished.answer
            assert all(call.card is not None for call in view.calls)


@machines
def test_its_state_is_plain_data_that_checkpoints_can_hold(name, settings):
    machine = catalogue.load(name)

    class Spy:
        options = machine.options()

        def prompt(self, role, **variables):
            return prompts.load(name).roles[role].fill(variables)

        def examples(self, role, having=()):
            return []

        def describe_tools(self, names):
            return "tools"

    state = machine.begin("What is 2 + 2?", Spy())
    kind, data = JsonPlusSerializer(pickle_fallback=False).dumps_typed(state)
    assert kind == "msgpack" and data


@machines
def test_a_script_that_ends_early_fails_the_run_and_says_so(name, settings):
    _, view = run(settings, name, [])
    assert view.status == "failed" and view.finished.error.code == "script_exhausted"


def _sent(view):
    return [call.called.messages for call in view.calls]


@machines
def test_it_can_be_forked_at_every_step_and_asks_the_same_when_nothing_is_changed(name, settings):
    engine = Engine(settings, {"scripted": create_demo(settings.model_copy(update={"script_speed": 0}))})
    try:
        asked = request(name, catalogue.load(name).examples[0])
        parent = engine.submit(asked)
        whole = at_rest(engine, parent)
        ends = [e.seq for e in engine.store.events(parent) if isinstance(e, NodeFinished)]
        assert len(ends) >= len(catalogue.load(name).nodes)
        for at in [0, *ends[:-1]]:
            view = at_rest(engine, engine.fork(parent, at, asked))
            assert view.status == "answered" and _sent(view) == _sent(whole)
            assert view.finished.answer == whole.finished.answer
    finally:
        engine.close()


@machines
def test_it_waits_before_every_node_and_goes_on_as_if_it_had_not(name, settings):
    engine = Engine(settings, {"scripted": create_demo(settings.model_copy(update={"script_speed": 0}))})
    try:
        asked = request(name, catalogue.load(name).examples[0], **EVERY_NODE.get(name, {}))
        whole = at_rest(engine, engine.submit(asked))
        nodes = tuple(catalogue.load(name).asking)
        waiting = engine.submit(asked.model_copy(update={"pause_before": nodes}))
        seen = set()
        while (view := at_rest(engine, waiting)).status == "paused":
            seen.add(view.paused.node)
            engine.resume(waiting, reply=Reply(verb="approve"))
        assert view.status == "answered" and seen == set(nodes)
        assert _sent(view) == _sent(whole) and view.totals.calls == whole.totals.calls
    finally:
        engine.close()
