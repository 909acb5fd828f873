"""`presets` in the terminal, and runs that begin with one."""

import json

from tests.cli.typing import Script, Terminal
from workbench.job import first_request
from workbench.settings import load
from workbench.store.presets import PresetStore
from workbench.store.prompts import PromptStore
from workbench.store.runs import RunStore

FLAGS = ("--option", "brief=yes", "--temperature", "0.5", "--limit-steps", "9", "--backend", "scripted")


def test_a_preset_is_saved_listed_shown_linked_and_deleted(terminal: Terminal):
    assert terminal("presets", "save", "Short", "direct", *FLAGS) == (0, "Short\n", "")
    code, out, err = terminal("presets", "save", "short", "direct")
    assert (code, out) == (2, "") and "already" in err
    assert terminal("presets", "save", "short", "direct", *FLAGS, "--seed", "3", "--replace")[0] == 0
    shown = json.loads(terminal("presets", "show", "SHORT")[1])
    assert (shown["options"], shown["settings"]["seed"], shown["limits"]["steps"]) == ({"brief": True}, 3, 9)
    assert "Short" in terminal("presets", "list")[1]
    (line,) = terminal("presets", "list", "--json")[1].splitlines()
    assert json.loads(line)["content"] == shown
    link = "http://here/?machine=direct&backend=scripted&brief=yes&setting.temperature=0.5&setting.seed=3&limit.steps=9"
    assert terminal("presets", "link", "short", "--address", "http://here/") == (0, f"{link}\n", "")
    assert terminal("presets", "save", "Sent", "--from", f"{link}&evil=1")[2] == (
        "There is no 'evil' among the options here.\n"
    )
    assert json.loads(terminal("presets", "show", "Sent")[1]) == shown
    assert terminal("presets", "delete", "short")[0] == 0
    assert terminal("presets", "show", "short")[0] == 2


def test_a_run_has_the_presets_form_and_flags_override_it(terminal: Terminal, script: Script, store: RunStore):
    script([{"text": "Yes."}] * 2)
    library = PromptStore(store.database)
    library.save("direct", "system", "Be terse.")
    saved = terminal("presets", "save", "Short", "direct", *FLAGS, "--prompt", "system=1", "--seed", "4")
    assert saved[0] == 0, saved
    assert terminal("run", "--preset", "short", "Is it so?", "--seed", "8")[0] == 0
    assert terminal("run", "direct", "Is it so?", "--preset", "short", "--option", "brief=no")[0] == 0
    two, one = (first_request(store.events(row.id)) for row in store.runs())
    assert (one.options["brief"], one.settings.seed, one.settings.temperature, one.limits.steps) == (True, 8, 0.5, 9)
    assert (two.options["brief"], two.settings.seed) == (False, 4)
    assert one.prompts["system"] == "Be terse." == two.prompts["system"]


def test_what_is_wrong_with_a_preset_is_said_in_a_sentence(terminal: Terminal, store: RunStore):
    terminal("presets", "save", "Short", "direct", *FLAGS)
    for line in (
        ("run", "Is it so?"),
        ("run", "--preset", "nobody's", "Is it so?"),
        ("run", "react", "Is it so?", "--preset", "Short"),
        ("presets", "save", "x"),
        ("presets", "save", "x", "direct", "--from", "machine=cot"),
        ("presets", "save", "x", "direct", "--option", "brif=yes"),
        ("presets", "save", "", "direct"),
        ("presets", "save", "x", "--from", "machine=nothing"),
    ):
        code, out, err = terminal(*line)
        assert (code, out) == (2, "") and err.strip(), line
    assert store.count() == 0


def test_a_preset_of_yesterday_runs_with_what_there_is_today(terminal: Terminal, script: Script, store: RunStore):
    script([{"text": "Yes."}])
    old = {"machine": "direct", "backend": "scripted", "options": {"haste": 3}, "prompts": {"system": "ab12"}}
    PresetStore(store.database).save("Old", old)
    code, _, err = terminal("run", "--preset", "old", "Is it so?")
    assert code == 0
    assert "no 'haste' among the options" in err and "ab12 of system is not in the library" in err
    assert load().backend == "scripted"
