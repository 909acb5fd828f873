"""What a person finds in the list of runs, and what a run's log gives back."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.store.samples import (
    a_request,
    answered,
    begin,
    called,
    delta,
    finished,
    node_finished,
    paused,
    resumed,
    started,
    tool_called,
    whole_run,
)
from workbench.errors import InvalidRequest, RunNotFound, StoreError
from workbench.events import ErrorInfo, Relation, Unknown, from_dict
from workbench.request import RunRequest
from workbench.settings import CHECKOUT
from workbench.store import runs as runs_module
from workbench.store.owner import owner
from workbench.store.runs import KEPT, RunStore


def test_a_log_comes_back_as_it_was_written(store: RunStore) -> None:
    begin(store, "run-1")
    log = whole_run("run-1")
    store.append(log[:2])
    store.append(log[2:])
    assert store.events("run-1") == log


def test_a_reader_gets_only_what_it_has_not_seen(store: RunStore) -> None:
    begin(store, "run-1")
    store.append(whole_run("run-1"))
    assert [event.seq for event in store.events("run-1", after=2)] == [3, 4]
    assert store.events("run-1", after=4) == []
    assert store.events("nobody") == store.events("\x00\ud800") == []


def test_a_reader_gets_only_the_kinds_and_the_stretch_that_it_asks_for(store: RunStore) -> None:
    begin(store, "one")
    store.append(whole_run("one"))
    assert [event.seq for event in store.events("one", kinds={"run_started", "model_answered", "no_such"})] == [0, 3]
    assert [event.seq for event in store.events("one", after=0, before=3)] == [1, 2]
    assert [event.seq for event in store.events("one", after=0, before=4, kinds={"delta", "run_finished"})] == [2]


def test_a_reader_may_leave_the_prompts_out_and_misses_nothing_else(store: RunStore) -> None:
    begin(store, "one")
    call = called("one", 1).model_copy(update={"messages": ({"role": "user", "content": "Why?"},), "by_person": True})
    store.append([started("one"), call, answered("one", 2)])
    assert store.events("one")[1] == call
    assert store.events("one", prompts=False) == [
        started("one"), call.model_copy(update={"messages": ()}), answered("one", 2),
    ]  # fmt: skip


def test_a_new_run_is_running_and_costs_nothing_yet(store: RunStore) -> None:
    begin(store, "run-1")
    row = store.run("run-1")
    assert (row.status, row.answer, row.error_code, row.seconds, row.calls) == ("running", "", "", 0.0, 0)
    assert (row.machine, row.machine_title, row.backend, row.model) == ("stepwise", "Stepwise", "scripted", "script")


def test_the_row_of_a_running_run_counts_along(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([started("run-1"), called("run-1", 1), answered("run-1", 2)])
    store.append([tool_called("run-1", 3), called("run-1", 4), answered("run-1", 5, prompt=None, completion=7)])
    row = store.run("run-1")
    assert (row.calls, row.tool_calls, row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (2, 1, 10, 12, 6)
    assert row.seconds == 0.5


@pytest.mark.parametrize("status", ["answered", "stopped", "limit"])
def test_the_end_of_a_run_sets_its_status_answer_and_totals(store: RunStore, status: str) -> None:
    begin(store, "run-1")
    store.append([started("run-1"), called("run-1", 1), finished("run-1", 2, status)])
    row = store.run("run-1")
    assert (row.status, row.answer, row.error_code) == (status, "42", "")
    assert (row.calls, row.tool_calls, row.prompt_tokens, row.completion_tokens, row.seconds) == (2, 1, 30, 12, 1.5)


def test_a_failed_run_shows_the_code_of_its_error(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([finished("run-1", 0, "failed", "", ErrorInfo(code="model_missing", message="No such model."))])
    assert (store.run("run-1").status, store.run("run-1").error_code) == ("failed", "model_missing")


def test_a_resumed_run_is_running_again(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([finished("run-1", 0, "failed", "", ErrorInfo(code="engine_crashed", message="It died."))])
    store.append([resumed("run-1", 1)])
    assert (store.run("run-1").status, store.run("run-1").error_code) == ("running", "")


def test_a_paused_run_waits_for_anybody_and_survives_its_process(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([started("run-1"), called("run-1", 1), paused("run-1", 2)])
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET touched = 0")
    assert store.mark_interrupted() == 0
    store.release(["run-1"])
    row = store.run("run-1")
    assert (row.status, row.calls) == ("paused", 1)
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT owner FROM runs").scalar() == ""
    assert [row.id for row in store.runs(status="paused")] == ["run-1"]
    store.append([resumed("run-1", 3)])
    assert store.run("run-1").status == "running"
    store.append([paused("run-1", 4)])
    store.delete("run-1")
    assert store.count() == 0


def test_a_run_that_went_on_and_ended_in_one_batch_has_ended(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([paused("run-1", 0)])
    store.append([resumed("run-1", 1), finished("run-1", 2)])
    assert (store.run("run-1").status, store.run("run-1").answer) == ("answered", "42")


def test_what_a_fork_inherits_costs_it_nothing_and_ends_nothing(store: RunStore) -> None:
    begin(store, "run-1")
    inherited = [called("run-1", 1), tool_called("run-1", 2), answered("run-1", 3), paused("run-1", 4)]
    own = [called("run-1", 5), answered("run-1", 6, prompt=7, completion=2)]
    store.append([started("run-1", inherited=4), *inherited, *own])
    row = store.run("run-1")
    assert (row.status, row.calls, row.tool_calls) == ("running", 1, 0)
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.seconds) == (7, 2, 3, 0.6)
    store.append([tool_called("run-1", 7)])
    assert store.run("run-1").tool_calls == 1
    assert [event.seq for event in store.events("run-1")] == list(range(8))


def test_events_of_several_runs_go_to_their_own_rows(store: RunStore) -> None:
    begin(store, "run-1")
    begin(store, "run-2")
    store.append([called("run-1", 0), called("run-2", 0), called("run-2", 1), finished("run-1", 1)])
    assert (store.run("run-1").status, store.run("run-2").status) == ("answered", "running")
    assert (len(store.events("run-1")), len(store.events("run-2")), store.run("run-2").calls) == (2, 2, 2)


def test_an_append_that_fails_leaves_nothing_behind(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([delta("run-1", 0)])
    with pytest.raises(StoreError, match="on the log already"):
        store.append([called("run-1", 1), delta("run-1", 0)])
    assert [event.seq for event in store.events("run-1")] == [0]
    assert store.run("run-1").calls == 0


def test_events_of_no_run_are_refused(store: RunStore) -> None:
    with pytest.raises(RunNotFound, match="no run nobody"):
        store.append([delta("nobody", 0)])
    store.append([])


def test_the_same_id_is_not_used_twice(store: RunStore) -> None:
    begin(store, "run-1", "The first question")
    with pytest.raises(StoreError, match="run-1 already"):
        begin(store, "run-1", "The second question")
    assert store.run("run-1").question == "The first question"


def test_events_of_a_newer_version_are_kept_as_they_were(store: RunStore) -> None:
    begin(store, "run-1")
    data = {"kind": "vision", "run_id": "run-1", "seq": 0, "at": 0.5, "picture": {"wide": 3}}
    store.append([from_dict(data)])
    (event,) = store.events("run-1")
    assert isinstance(event, Unknown)
    assert event.payload == data


def test_an_event_that_cannot_be_read_is_reported_with_its_number(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([delta("run-1", 0)])
    with store.database.write() as connection:
        connection.exec_driver_sql('UPDATE events SET payload = \'{"kind": "delta"}\'')
    with pytest.raises(StoreError, match="Event 0 of run run-1 cannot be read"):
        store.events("run-1")


@pytest.mark.parametrize("text", ["a\x00b", "half \ud83d", "\ude00 other half", "line\u2028separator", "日本語 😀"])
def test_any_text_of_a_model_can_be_written(store: RunStore, text: str) -> None:
    begin(store, "run-1")
    store.append([delta("run-1", 0, text), finished("run-1", 1, answer=text)])
    shown = text.replace("\ud83d", "\ufffd").replace("\ude00", "\ufffd")
    assert [event.model_dump().get("text") for event in store.events("run-1")] == [shown, None]
    assert store.run("run-1").answer == shown.replace("\x00", "\ufffd")


def test_names_that_no_database_takes_are_written_readably(store: RunStore) -> None:
    request = RunRequest(machine="stepwise", question="Why?", backend="scripted", model="m\x00\udce9")
    store.create("run-1", request, "Stepwise\x00", "2026-11-23T12:00:00+00:00")
    assert store.run("run-1").machine_title == "Stepwise\ufffd"


def test_a_long_answer_is_cut_in_the_list_and_whole_in_the_log(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([finished("run-1", 0, answer="é" * (KEPT + 5))])
    assert len(store.run("run-1").answer) == KEPT
    assert store.events("run-1")[0].model_dump()["answer"] == "é" * (KEPT + 5)


def test_the_newest_run_comes_first_page_by_page(store: RunStore) -> None:
    for minute in (3, 1, 2, 4):
        begin(store, f"run-{minute}", at=f"2026-11-23T12:0{minute}:00+00:00")
    assert [row.id for row in store.runs()] == ["run-4", "run-3", "run-2", "run-1"]
    assert [row.id for row in store.runs(limit=2, offset=1)] == ["run-3", "run-2"]
    assert store.count() == 4


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ARITHMETIC", ["q"]),
        ("forty-two", ["a"]),
        ("ÉTÉ", ["u"]),
        ("été", ["u"]),
        ("ete\u0301", []),
        ("e\u0301te\u0301", ["u"]),
        ("strasse", ["s"]),
        ("100%", ["p"]),
        ("100_", []),
        ("%", ["p"]),
        ("_", ["w"]),
        ("\\", ["b"]),
        ("/", ["w"]),
        ("  arithmetic ", ["q"]),
        ("", ["a", "b", "p", "q", "s", "u", "w"]),
        ("   ", ["a", "b", "p", "q", "s", "u", "w"]),
        ("nothing of that kind", []),
        ("\x00\ud800", []),
        ("x" * 60_000, []),
        ("'; DROP TABLE runs; --", []),
    ],
)
def test_search_finds_in_question_and_answer_exactly_what_was_typed(
    store: RunStore, search: str, found: list[str]
) -> None:
    questions = {
        "q": "Arithmetic please",
        "a": "What?",
        "u": "C'est l'été",
        "s": "Die Straße",
        "p": "Is it 100% so?",
        "w": "snake_case/path",
        "b": "back\\slash",
    }
    for run_id, question in questions.items():
        begin(store, run_id, question)
    store.append([finished("a", 0, answer="Forty-Two.")])
    assert sorted(row.id for row in store.runs(search=search)) == found
    assert store.count(search=search) == len(found)


def test_search_does_not_run_over_from_the_question_into_the_answer(store: RunStore) -> None:
    begin(store, "run-1", "begin")
    store.append([finished("run-1", 0, answer="ning")])
    assert store.runs(search="beginning") == []


def test_the_list_is_filtered_by_status_and_machine(store: RunStore) -> None:
    begin(store, "one", machine="react")
    begin(store, "two", machine="react")
    begin(store, "three", machine="stepwise")
    store.append([finished("two", 0)])
    store.append([finished("three", 0)])
    assert [row.id for row in store.runs(status="answered", machine="react")] == ["two"]
    assert (store.count(status="answered"), store.count(machine="react"), store.count(status="failed")) == (2, 2, 0)
    assert store.runs(status="\x00", machine="\ud800") == []


def test_a_run_is_found_by_the_beginning_of_its_id(store: RunStore) -> None:
    begin(store, "abcd1111")
    begin(store, "abcd2222")
    begin(store, "wxyz3333")
    begin(store, "per%cent")
    assert store.run("wxyz").id == "wxyz3333"
    assert store.run("abcd1").id == "abcd1111"
    with pytest.raises(RunNotFound, match="Several runs"):
        store.run("abcd")
    for nothing in ("wxy", "", "zzzz", "wx%z", "p%%c", "____", "wxyz\x00", "wxyz\ud800", "x" * 60_000):
        with pytest.raises(RunNotFound, match="There is no run"):
            store.run(nothing)


def test_an_exact_id_wins_over_longer_ones_that_begin_with_it(store: RunStore) -> None:
    begin(store, "abcd")
    begin(store, "abcd1111")
    assert store.run("abcd").id == "abcd"


def test_a_deleted_run_is_gone_with_its_events(store: RunStore) -> None:
    for run_id in ("run-1", "run-2"):
        begin(store, run_id)
        store.append(whole_run(run_id))
    store.delete("run-1")
    assert ([row.id for row in store.runs()], store.events("run-1")) == (["run-2"], [])
    assert len(store.events("run-2")) == 5
    for gone in ("run-1", "run-", "\x00\ud800"):
        with pytest.raises(RunNotFound):
            store.delete(gone)


def test_a_running_run_is_not_deleted(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([started("run-1")])
    with pytest.raises(InvalidRequest, match="still running") as caught:
        store.delete("run-1")
    assert "Stop it" in caught.value.hint
    assert len(store.events("run-1")) == 1


def born(store: RunStore, run_id: str, parent: str, minute: int, relation: Relation = "fork") -> None:
    store.create(run_id, a_request(), "Stepwise", f"2026-11-23T12:{minute:02}:00+00:00", parent, relation)


def test_a_family_is_the_root_and_all_that_comes_from_it_oldest_first(store: RunStore) -> None:
    born(store, "root", "", 0, "")
    born(store, "fork-b", "root", 2)
    born(store, "fork-a", "root", 1)
    born(store, "follow-up", "fork-b", 3, "continue")
    born(store, "stranger", "", 4, "")
    tree = [
        ("root", "", ""),
        ("fork-a", "root", "fork"),
        ("fork-b", "root", "fork"),
        ("follow-up", "fork-b", "continue"),
    ]
    for run_id in ("root", "fork-a", "fork-b", "follow-up"):
        assert [(row.id, row.parent, row.relation) for row in store.family(run_id)] == tree
    assert [row.id for row in store.family("stranger")] == ["stranger"]
    with pytest.raises(RunNotFound, match="no run nobody"):
        store.family("nobody")


def test_a_deleted_run_parts_its_family(store: RunStore) -> None:
    for minute, (run_id, parent) in enumerate([("a", ""), ("b", "a"), ("c", "b"), ("d", "c"), ("e", "a")]):
        born(store, run_id, parent, minute)
        store.append([finished(run_id, 0)])
    store.delete("b")
    assert [row.id for row in store.family("d")] == ["c", "d"]
    assert [row.id for row in store.family("e")] == ["a", "e"]
    assert store.run("c").parent == "b"


def test_a_family_that_goes_round_in_a_circle_ends(store: RunStore) -> None:
    for run_id, parent in (("a", "c"), ("b", "a"), ("c", "b"), ("self", "self")):
        born(store, run_id, parent, 0)
    assert [row.id for row in store.family("b")] == ["a", "b", "c"]
    assert [row.id for row in store.family("self")] == ["self"]


def disowned(store: RunStore, owner: str = "x:1:2") -> None:
    """As if a process that is long gone had the runs."""
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE runs SET owner = '{owner}', touched = 0")


@pytest.mark.parametrize("status", ["stopped", "failed", "limit", "paused", "interrupted", "left running by the dead"])
def test_a_run_that_waits_or_ended_without_an_answer_can_be_taken_once(store: RunStore, status: str) -> None:
    begin(store, "run-1")
    match status:
        case "paused":
            store.append([paused("run-1", 0)])
        case "interrupted":
            store.release(["run-1"])
        case "left running by the dead":
            disowned(store)
        case _:
            store.append([finished("run-1", 0, status, "")])
    store.claim("run-1")
    assert store.run("run-1").status == "running"
    assert store.mark_interrupted() == 0
    with pytest.raises(InvalidRequest, match="running already") as caught:
        store.claim("run-1")
    assert caught.value.hint
    store.append([resumed("run-1", 1), finished("run-1", 2)])
    with pytest.raises(InvalidRequest, match="has its answer already"):
        store.claim("run-1")
    assert store.run("run-1").status == "answered"
    for nobody in ("nobody", "\x00\ud800"):
        with pytest.raises(RunNotFound):
            store.claim(nobody)


def test_a_run_that_has_gone_on_since_it_was_looked_at_is_not_taken(store: RunStore) -> None:
    """Two tabs reply to the same question; meanwhile the run has come to the next one."""
    begin(store, "run-1")
    store.append([paused("run-1", 0)])
    store.claim("run-1", 0)
    store.append([resumed("run-1", 1), paused("run-1", 2)])
    with pytest.raises(InvalidRequest, match="gone on meanwhile"):
        store.claim("run-1", 0)
    assert store.run("run-1").status == "paused"
    store.claim("run-1", 2)


def test_a_released_run_is_interrupted_and_others_are_left_alone(store: RunStore) -> None:
    begin(store, "other's")
    disowned(store)
    for run_id in ("ours", "answered", "not-named"):
        begin(store, run_id)
    store.append([finished("answered", 0)])
    store.release([])
    store.release(["ours", "answered", "other's", "nobody"])
    assert {row.id: row.status for row in store.runs()} == {
        "ours": "interrupted",
        "answered": "answered",
        "other's": "running",
        "not-named": "running",
    }


def test_a_process_that_lost_its_run_to_another_writes_to_it_no_more(store: RunStore) -> None:
    begin(store, "run-1")
    store.append([delta("run-1", 0)])
    disowned(store, owner="elsewhere:1:2")
    with pytest.raises(StoreError, match="Another process has taken"):
        store.append([delta("run-1", 1)])
    assert len(store.events("run-1")) == 1


CHILD = """
import os, sys
from tests.store.samples import begin, delta
from workbench.store.runs import RunStore
store = RunStore(sys.argv[1])
begin(store, "orphan")
store.append([delta("orphan", n) for n in range(10)])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def child(url: str):
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, url],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_run_of_another_living_process_is_left_alone(url: str, child: subprocess.Popen[str]) -> None:
    store = RunStore(url)
    assert store.mark_interrupted() == 0
    assert store.run("orphan").status == "running"
    with pytest.raises(InvalidRequest):
        store.delete("orphan")
    store.close()


def test_a_killed_process_leaves_an_interrupted_run_with_all_its_events(url: str, child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    store = RunStore(url)
    begin(store, "ours")
    assert store.mark_interrupted() == 1
    assert (store.run("orphan").status, store.run("ours").status) == ("interrupted", "running")
    assert len(store.events("orphan")) == 10
    assert store.mark_interrupted() == 0
    store.delete("orphan")
    store.close()


def test_a_run_whose_process_died_can_be_deleted_before_it_is_marked(url: str, child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    store = RunStore(url)
    store.delete("orphan")
    assert store.count() == 0
    store.close()


def test_a_resumed_run_belongs_to_the_process_that_resumed_it(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(store, "run-1")
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET owner = 'x:1:2', touched = 0")
    assert store.mark_interrupted() == 1
    store.append([resumed("run-1", 0)])
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT owner FROM runs").scalar() == owner(os.getpid())
    assert store.mark_interrupted() == 0


def test_many_threads_write_and_read_without_losing_an_event(store: RunStore) -> None:
    writers, batches, seen = 8, 25, []
    done = threading.Event()

    def write(number: int) -> None:
        run_id = f"run-{number:02}"
        begin(store, run_id)
        for batch in range(batches):
            store.append([delta(run_id, batch * 3 + offset) for offset in range(2)] + [called(run_id, batch * 3 + 2)])
        store.append([finished(run_id, batches * 3)])

    def read() -> None:
        while not done.is_set():
            for row in store.runs():
                numbers = [event.seq for event in store.events(row.id)]
                assert numbers == list(range(len(numbers)))
                assert len(numbers) % 3 in (0, 1)
            seen.append(store.count())

    with ThreadPoolExecutor(writers + 4) as pool:
        reading = [pool.submit(read) for _ in range(4)]
        list(pool.map(write, range(writers)))
        done.set()
        for future in reading:
            future.result()
    assert seen
    assert [len(store.events(f"run-{n:02}")) for n in range(writers)] == [batches * 3 + 1] * writers
    assert store.count(status="answered") == writers


PROCESS = """
import sys
from tests.store.samples import begin, delta
from workbench.store.runs import RunStore
store = RunStore(sys.argv[1])
begin(store, sys.argv[2])
for n in range(40):
    store.append([delta(sys.argv[2], n)])
store.close()
"""


def test_several_processes_open_and_write_the_same_new_log(url: str) -> None:
    arguments = [[sys.executable, "-c", PROCESS, url, f"run-{number}"] for number in range(4)]
    processes = [subprocess.Popen(line, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True) for line in arguments]
    for process in processes:
        _, complaint = process.communicate(timeout=60)
        assert (process.returncode, complaint) == (0, "")
    store = RunStore(url)
    assert [len(store.events(f"run-{number}")) for number in range(4)] == [40] * 4
    store.close()


def test_steps_pauses_and_ends_are_on_the_disk_before_append_returns(tmp_path: Path) -> None:
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    begin(store, "run-1")
    levels: list[tuple[str, int]] = []

    def look(name: str) -> None:
        with store.database._engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            levels.append((name, raw.execute("PRAGMA synchronous").fetchone()[0]))

    for name, event in (
        ("delta", delta("run-1", 0)),
        ("step", node_finished("run-1", 1)),
        ("delta", delta("run-1", 2)),
        ("pause", paused("run-1", 3)),
        ("going on", resumed("run-1", 4)),
        ("delta", delta("run-1", 5)),
        ("end", finished("run-1", 6)),
    ):
        store.append([event])
        look(name)
    durable = {"delta": 1, "step": 2, "pause": 2, "going on": 2, "end": 2}
    assert levels == [(name, durable[name]) for name, _ in levels]
    assert len(levels) == 7
    store.close()


def test_the_question_is_stored_cut_but_searched_as_far_as_it_is_stored(store: RunStore) -> None:
    question = "needle " + "hay " * KEPT
    store.create("run-1", a_request(question), "Stepwise", "2026-11-23T12:00:00+00:00")
    assert len(store.run("run-1").question) == KEPT
    assert store.count(search="NEEDLE") == 1
    assert runs_module.STATUSES[-1] == "interrupted"


def test_runs_made_for_experiments_are_left_out_where_they_are_not_wanted(store: RunStore) -> None:
    for number, belongs in enumerate(("", "comparison:abc", "experiment:abc", "import:abc")):
        store.create(f"run-{number}", a_request(), "Stepwise", "2026-11-23T12:00:00+00:00", belongs=belongs)
    assert store.count() == 4 and store.count(experiments=False) == 3
    assert {row.belongs for row in store.runs(experiments=False)} == {"", "comparison:abc", "import:abc"}
