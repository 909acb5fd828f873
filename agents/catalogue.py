"""The machines that there are, each imported on first use."""

from importlib import import_module

from agents.contract import Machine

MACHINES: tuple[str, ...] = (
    "direct",
    "cot",
    "least_to_most",
    "pal",
    "self_consistency",
    "debate",
    "stepwise",
    "reflection",
    "self_refine",
    "validate",
    "reflexion",
    "critic",
    "act",
    "react",
    "react_cot_sc",
    "role_play",
    "self_rag",
    "plan_execute",
    "task_queue",
    "memory_stream",
)
FIRST_CHOICE = "stepwise"  # for who has not chosen yet: the baselines before it are there to be compared with


def load(name: str) -> Machine:
    """The machine of that name. Raises KeyError for a name that is not in MACHINES."""
    if name not in MACHINES:
        raise KeyError(name)
    machine: Machine = import_module(f"agents.{name}").MACHINE
    return machine
