"""How a model says what a tool is to verify, and how it is told what came of it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from agents.contract import Bench, Observation
from agents.doubts import is_evidence


class Check(BaseModel):
    """A claim of an answer, and the call that can tell whether it is right."""

    claim: str = Field(min_length=1)
    tool: str
    input: str = Field(min_length=1)


class Critique(BaseModel):
    """What follows from the results: first the comparison, then whether there is an objection, then what to change."""

    comparison: str = Field(min_length=1)
    verdict: Literal["agree", "object"]
    change: str = ""

    @property
    def told(self) -> str:
        """The critique as a person reads it."""
        change = f"\n\n**Change:** {self.change.strip()}" if self.verdict == "object" and self.change.strip() else ""
        return self.comparison + change


Witness = Literal["tool", "self"]
OUTCOMES: Mapping[tuple[Witness, str], str] = {
    ("tool", "agree"): "the tools do not object",
    ("tool", "object"): "the tools object",
    ("self", "agree"): "no tool told anything, and the model does not object to itself",
    ("self", "object"): "no tool told anything, the model objects by itself",
}

# A traceback ends in what a program found, an AssertionError for instance, unless the sandbox could not run it at all.
RAN = re.compile(
    r"^  line \d+.*\n(?!  |SyntaxError|ModuleNotFoundError|ImportError|PermissionError|NotImplementedError"
    r"|MemoryError: it wanted|NameError: name 'input')\w+",
    re.MULTILINE,
)


def checks_schema(tools: Sequence[str], most: int) -> type[BaseModel]:
    """At most so many checks, each with one of these tools."""
    names: Any = Literal[tuple(tools)]
    check = create_model("Check", __base__=Check, tool=(names, ...))
    return create_model("Checks", checks=(list[check], Field(max_length=most)))


def listed(checks: Sequence[Check]) -> str:
    """The checks as a person reads them."""
    return "\n".join(f"- {one.claim} ({one.tool})" for one in checks) or "Nothing that a tool could tell."


async def results_of(bench: Bench, planned: Sequence[Mapping[str, Any]]) -> tuple[str, Witness]:
    """The checks with what the tools say, one below the other, and whether any of them says something."""
    checks = [Check.model_validate(one) for one in planned]
    seen = [await bench.call(one.tool, one.input) for one in checks]
    results = "\n".join(
        f"{number}. {check.claim}\n   {check.tool} {'failed' if said.error else 'says'}: {said.text}"
        for number, (check, said) in enumerate(zip(checks, seen, strict=True), start=1)
    )
    told = any(tells(check.tool, said) for check, said in zip(checks, seen, strict=True))
    return results, "tool" if told else "self"


def tells(tool: str, said: Observation) -> bool:
    """Whether a tool says something about a claim: a search that finds something, a program that ran, if in vain."""
    return is_evidence(said) or (said.error and tool == "python" and RAN.search(said.text) is not None)
