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
from workbench.store.documents import Documents

machines = pytest.mark.parametrize("name", catalogue.MACHINES)

# Options with which the demo passes every node, where it does not by itself.
EVERY_NODE = {
    "memory_stream": {"stream": "", "reflect_at": 1},  # with a stream it would see what the run before it stored
    "debate": {"closing": "judge"},
    "react_cot_sc": {"first": "cot_sc", "threshold": 1.0},
    "self_rag": {"retrieval": "always"},
}

# What there is to be found; it has nothing to do with the demo's question.
DOCUMENTS = {"self_rag": "Guests pay on the day of arrival."}

# Options with which it passes the nodes that stand in for one another.
ALTERNATIVES = {"reflexion": ({"actor": "cot"}, {"actor": "code"})}


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
    build = catalogue.load(name).build
    modules = {build.__module__, *(node.runnable.afunc.__module__ for node in build().nodes.values())}
    source = "\n".join(inspect.getsource(sys.modules[module]) for module in modules)
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


def demo(name, settings):
    """An engine that plays the demo, with the documents that the machine needs to pass every node."""
    if name in DOCUMENTS:
        Documents(settings.home / "documents.db").add("house.txt", DOCUMENTS[name])
    return Engine(settings, {"scripted": create_demo(settings.model_copy(update={"script_speed": 0}))})


def _sent(view):
    return [call.called.messages for call in view.calls]


@machines
def test_it_can_be_forked_at_every_step_and_asks_the_same_when_nothing_is_changed(name, settings):
    engine = demo(name, settings)
    try:
        asked = request(name, catalogue.load(name).examples[0], **EVERY_NODE.get(name, {}))
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
    engine = demo(name, settings)
    nodes, seen = tuple(catalogue.load(name).asking), set()
    try:
        for options in (EVERY_NODE.get(name, {}), *ALTERNATIVES.get(name, ())):
            asked = request(name, catalogue.load(name).examples[0], **options)
            whole = at_rest(engine, engine.submit(asked))
            waiting = engine.submit(asked.model_copy(update={"pause_before": nodes}))
            while (view := at_rest(engine, waiting)).status == "paused":
                seen.add(view.paused.node)
                engine.resume(waiting, reply=Reply(verb="approve"))
            assert view.status == "answered"
            assert _sent(view) == _sent(whole) and view.totals.calls == whole.totals.calls
        assert seen == set(nodes)
    finally:
        engine.close()
