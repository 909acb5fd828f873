"""Prompt files: checked when read, filled without code."""

import pytest

from agents import catalogue
from workbench import prompts
from workbench.errors import PromptError
from workbench.prompts import Prompt


def file_of(template, variables="[]"):
    return f"machine: m\nsource: s\nroles:\n  r:\n    variables: {variables}\n    template: '{template}'\n"


@pytest.mark.parametrize("machine", catalogue.MACHINES)
def test_every_machine_has_prompts_that_can_be_filled(machine):
    file = prompts.load(machine)
    assert file.machine == machine and file.source
    for prompt in file.roles.values():
        assert prompt.fill({name: f"<{name}>" for name in prompt.variables})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (file_of("Hello $name"), "line 1: \\$name is not a variable of this role; it has none"),
        (file_of("Hello", "[name]"), "\\$name is not in the template"),
        (file_of("It costs 5$ now"), "lone \\$"),
        ("machine: m", "not a prompt file"),
        ("roles: [", "not a prompt file"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(text, says):
    with pytest.raises(PromptError, match=says):
        prompts.parse(text, "m.yaml")


def test_braces_dollars_and_attributes_in_values_stay_literal():
    prompt = Prompt(template="Q: $question {x} $$5", variables=("question",))
    value = "{0.__class__} ${home} $question %s"
    assert prompt.fill({"question": value}) == f"Q: {value} {{x}} $5"


def test_missing_and_undeclared_values_are_refused():
    prompt = Prompt(template="$a", variables=("a",))
    with pytest.raises(PromptError):
        prompt.fill({})
    with pytest.raises(PromptError):
        prompt.fill({"a": 1, "b": 2})


def test_the_digest_follows_the_content_alone():
    one, two = Prompt(template="a", note="x"), Prompt(template="a", note="y")
    assert one.digest == two.digest != Prompt(template="b").digest
