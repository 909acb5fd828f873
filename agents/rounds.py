"""When a machine that revises its answer goes no further."""

from typing import Any

from agents.contract import Bench


def the_last(state: Any, bench: Bench, revision: str) -> str:
    """Why the latest revision is the last; empty where it is not.

    It says what the answer before it said, word by word, or the option `rounds` allows no other. `revision` is what the
    machine calls one.
    """
    if state["answer"].split() == state["previous"].split():
        return f"the {revision} changed nothing"
    return f"round {state['rounds']} was the last" if state["rounds"] >= bench.options.rounds else ""
