"""Forms made from options: every field of every machine has a widget, and says what it holds."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from agents import catalogue
from workbench.request import ModelSettings, RunRequest
from workbench.ui import forms


class Sample(BaseModel):
    rounds: int = Field(3, ge=1, le=10, description="How often.")
    share: float = Field(0.5, gt=0, lt=1)
    dialect: Literal["json", "text"] = "json"
    tools: list[Literal["clock", "search"]] = ["clock"]
    careful: bool = True
    note: str = Field("", max_length=500)
    seed: int | None = Field(None, ge=0)


@pytest.mark.parametrize("name", catalogue.MACHINES)
def test_every_option_of_every_machine_has_a_widget_and_a_description(name: str):
    for control in forms.controls(catalogue.load(name).options, name):
        assert control.help, f"{name}.{control.name} has no description"
        assert control.choices or control.kind in (bool, str) or None not in (control.low, control.high)


def test_the_model_settings_have_widgets():
    kinds = {control.name: (control.kind, control.optional) for control in forms.controls(ModelSettings, "s")}
    assert kinds["temperature"] == (float, True)
    assert kinds["max_tokens"] == (int, False)
    assert kinds["think"] == (bool, True)


def test_a_field_becomes_a_control_with_inclusive_bounds():
    controls = {control.name: control for control in forms.controls(Sample, "p")}
    assert (controls["rounds"].low, controls["rounds"].high, controls["rounds"].help) == (1, 10, "How often.")
    assert (controls["share"].low, controls["share"].high) == (0.01, 0.99)
    assert controls["dialect"].choices == ("json", "text")
    assert controls["tools"].several and controls["tools"].default == ["clock"]
    assert controls["seed"].optional and controls["seed"].default is None
    assert controls["note"].longest == 500
    assert controls["rounds"].key == "p-rounds"


def test_a_field_without_a_widget_is_refused():
    class Odd(BaseModel):
        table: dict[str, int] = {}

    with pytest.raises(TypeError, match="no widget for the field table"):
        forms.controls(Odd, "p")


def test_values_are_shown_as_short_words():
    values = {
        "rounds": 1,
        "max_steps": 7,
        "dialect": "json",
        "tools": ["clock"],
        "careful": False,
        "note": "",
        "x": 0.5,
    }
    assert forms.chips(values) == ["1 round", "max steps 7", "dialect json", "tools clock", "no careful", "x 0.5"]
    assert forms.chips({"note": ""}) == []
    assert forms.chips({"note": "word " * 30})[0].endswith("…")


def test_settings_are_shown_with_the_machines_temperature_until_one_is_set():
    assert forms.setting_chips({"temperature": None, "seed": None, "max_tokens": 1024}, 0.2) == [
        "T 0.2",
        "1,024 tokens",
    ]
    assert forms.setting_chips({"temperature": 1.0, "seed": 42}, 0.2) == ["T 1", "seed 42"]


def test_a_value_cannot_break_out_of_its_chip():
    assert forms.chip_markdown(["a`b` [x](y)"]) == "`ab [x](y)`"


def test_an_error_becomes_a_sentence():
    with pytest.raises(ValidationError) as empty:
        RunRequest(machine="m", question=" ", backend="b", model="m")
    assert forms.sentence(empty.value).startswith("The question is empty")
    with pytest.raises(ValidationError) as high:
        ModelSettings(temperature=9)
    assert forms.sentence(high.value) == "Temperature: input should be less than or equal to 2."
