"""The form for a JSON object: which widget a property gets, what it holds at first, and what is wrong with JSON."""

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from workbench.errors import InvalidRequest
from workbench.ui import schema_form


class Inner(BaseModel):
    name: str


class Wanted(BaseModel):
    """One property of each kind."""

    text: str
    whole: int = Field(ge=0, le=10)
    number: float
    yes: bool
    choice: Literal["a", "b"]
    lines: list[str] = Field(max_length=3)
    inner: Inner
    many: list[int]
    perhaps: str | None = None


GIVEN: dict[str, Any] = {
    "text": "hello",
    "whole": 3,
    "number": 0.5,
    "yes": True,
    "choice": "b",
    "lines": ["one", "two"],
    "inner": {"name": "x"},
    "many": [1, 2],
}


def by_name(draft: str = "") -> dict[str, schema_form.Property]:
    """The properties of the schema, with a draft of the object."""
    return {one.name: one for one in schema_form.of_schema(Wanted.model_json_schema(), draft, "answer")}


def test_each_kind_of_property_has_its_widget_and_what_none_fits_is_json():
    assert {name: one.kind for name, one in by_name().items()} == {
        "text": "text",
        "whole": "whole",
        "number": "number",
        "yes": "yes_no",
        "choice": "choice",
        "lines": "lines",
        "inner": "json",
        "many": "json",
        "perhaps": "json",
    }


def test_an_empty_form_chooses_nothing_for_the_person():
    first = {name: one.first for name, one in by_name().items()}
    assert (first["text"], first["whole"], first["choice"], first["lines"]) == ("", None, None, "")
    assert (first["inner"], first["many"], first["perhaps"]) == ("{}", "[]", "null")


def test_a_draft_fills_the_form():
    first = {name: one.first for name, one in by_name(json.dumps(GIVEN)).items()}
    assert (first["text"], first["whole"], first["number"], first["yes"]) == ("hello", 3, 0.5, True)
    assert (first["choice"], first["lines"]) == ("b", "one\ntwo")
    assert json.loads(first["inner"]) == {"name": "x"}


@pytest.mark.parametrize("draft", ["", "not JSON", "[1]", '{"whole": "three", "choice": "z", "lines": 5, "yes": "no"}'])
def test_a_draft_that_cannot_be_shown_leaves_the_form_empty(draft: str):
    first = {name: one.first for name, one in by_name(draft).items()}
    assert (first["whole"], first["choice"], first["lines"], first["yes"]) == (None, None, "", False)


def test_the_values_that_there_are_make_a_form_as_well():
    values = {"code": "print(1)", "times": 3, "share": 0.5, "deep": {"a": 1}, "names": ["x"], "on": True}
    kinds = {one.name: one.kind for one in schema_form.of_values(values, "argument")}
    assert kinds == {
        "code": "text",
        "times": "whole",
        "share": "number",
        "deep": "json",
        "names": "lines",
        "on": "yes_no",
    }


def test_json_that_is_none_is_named_with_the_place_of_the_mistake():
    with pytest.raises(InvalidRequest, match="Inner is not JSON: see line 2, column 1") as caught:
        schema_form.parsed("{\n", "Inner")
    assert "double quotes" in caught.value.hint
