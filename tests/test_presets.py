"""Presets as data: whole in a link and back, and what a hostile or an old one cannot do."""

from typing import Any
from urllib.parse import parse_qs, quote

import pytest

from agents import catalogue
from workbench import presets
from workbench.errors import InvalidRequest
from workbench.presets import Preset
from workbench.request import Limits, ModelSettings

REACT = {"max_steps": 4, "dialect": "text", "tools": ["clock", "calculator"]}
WHOLE = presets.read(
    {
        "machine": "react",
        "backend": "ollama@lab",
        "model": "qwen3:4b/x y&z",
        "options": REACT,
        "settings": {"temperature": 0.25, "seed": 7, "think": False, "logprobs": False},
        "limits": {"steps": 20, "tokens": 900},
        "pause_before": ["act"],
        "approve_tools": ["clock"],
        "prompts": {"system": "ab12" * 16},
    }
)


def test_a_link_holds_the_whole_preset_and_a_person_can_read_it():
    assert WHOLE.told == []
    query = presets.to_query(WHOLE.preset)
    assert query.startswith("machine=react&backend=ollama@lab&model=qwen3:4b/x+y%26z&max_steps=4&dialect=text&")
    for part in ("tools=clock,calculator", "setting.temperature=0.25", "limit.steps=20", "pause=act", "approve=clock"):
        assert f"&{part}" in query
    assert presets.from_query(f"http://other:8501/?{query}") == (WHOLE.preset, [])
    assert presets.from_query(parse_qs(query)) == (WHOLE.preset, [])


@pytest.mark.parametrize("machine", catalogue.MACHINES)
def test_every_machines_defaults_survive_a_link(machine: str):
    preset = presets.read({"machine": machine, "backend": "scripted", "model": "demo"}).preset
    assert presets.from_query(presets.to_query(preset)) == (preset, [])


def test_a_path_of_this_computer_is_not_in_a_link():
    preset = Preset(machine="direct", backend="embedded", model="/home/ann/models/mine-7b.gguf")
    assert "ann" not in presets.to_query(preset) and "model=mine-7b" in presets.to_query(preset)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("machine=react&dialect=yaml", "dialect cannot be 'yaml'"),
        ("machine=react&tools=calculator,rm", "tools cannot be 'calculator,rm'"),
        ("machine=react&max_steps=1e9", "max_steps cannot be '1e9'"),
        ("machine=react&max_steps=many", "max_steps cannot be 'many'"),
        ("machine=react&setting.temperature=nan", "temperature cannot be 'nan'"),
        ("machine=react&setting.seed=-1", "seed cannot be '-1'"),
        ("machine=react&limit.steps=", "steps cannot be ''"),
        ("machine=react&openai_api_key=sk-1", "There is no 'openai_api_key' among the options"),
        ("machine=react&address=http://evil", "There is no 'address' among the options"),
        ("machine=react&question=Do+it", "There is no 'question' among the options"),
        ("machine=react&setting.shell=1", "There is no 'shell' among the settings"),
        ("machine=react&pause=rm", "There is no 'rm' to pause before"),
        ("machine=react&approve=python&tools=clock", "There is no 'python' chosen to ask before"),
        ("machine=react&prompt.system=../../etc/passwd", "is no hash"),
        ("machine=react&model=a%00b", "is no name"),
        ("machine=react&model=" + "m" * 3000, "is no name"),
        ("machine=stepwise&min_steps=20&max_steps=5", "do not fit together"),
    ],
)
def test_what_a_link_may_not_say_is_told_and_has_its_default(query: str, said: str):
    preset, told = presets.from_query(query)
    options = {"tools": ["clock"]} if "tools=clock" in query else {}
    assert preset == presets.read({"machine": preset.machine, "options": options}).preset
    assert len(told) == 1 and said in told[0] and len(told[0]) < 300


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "names no machine"),
        ("backend=ollama", "names no machine"),
        ("machine=<script>alert(1)</script>", "There is no machine named '<script>"),
        ("machine=react&machine=cot", "says 'machine' twice"),
        ("machine=react&dialect=json&option.dialect=text", "twice"),
        ("machine=react&x=" + "y" * 9000, "longer than any preset"),
        ("machine=react&" + "&".join(f"a{i}=1" for i in range(100)), "longer than any preset"),
    ],
)
def test_what_is_no_link_of_a_preset_is_refused(query: str, said: str):
    with pytest.raises(InvalidRequest) as caught:
        presets.from_query(query)
    assert said in caught.value.message and len(caught.value.message) < 200


def test_what_was_kept_before_an_option_got_another_name_still_opens():
    kept = {"machine": "react", "options": REACT | {"flavour": "json"}, "colour": "red", "limits": [1], "model": 7}
    preset, told = presets.read(kept)
    assert preset.options["dialect"] == "text" and preset.limits == Limits() and preset.model == ""
    for said in (
        "no 'flavour' among the options",
        "The limits cannot be read",
        "'colour' is not known",
        "'7' is no name",
    ):
        assert any(said in sentence for sentence in told), said


@pytest.mark.parametrize("name", ["", "   ", "x" * 200, "a\x00b", "a\x1b[2Jb"])
def test_a_name_is_a_short_line(name: str):
    with pytest.raises(InvalidRequest):
        presets.check_name(name)
    assert presets.check_name("  Mine \n too ") == "Mine too"


def test_settings_and_limits_that_nobody_changed_are_left_out_of_a_link():
    query = presets.to_query(Preset(machine="direct", settings=ModelSettings(), limits=Limits()))
    assert query == "machine=direct"
    assert presets.from_query(f"machine=direct&model={quote('<b>x</b>')}").preset.model == "<b>x</b>"


def test_no_option_of_a_machine_is_called_as_a_part_of_every_link():
    taken: dict[str, Any] = {}
    for name in catalogue.MACHINES:
        taken |= dict.fromkeys(catalogue.load(name).options.model_fields, name)
    assert not set(taken) & {*presets.NAMES, *presets.LISTS, "run", "preset"}
