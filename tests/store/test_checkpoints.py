"""What LangGraph's checkpoints promise: written after the log, whole, copied for forks, set aside when damaged."""

import asyncio
import operator
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from workbench.errors import StoreError
from workbench.settings import CHECKOUT
from workbench.store import checkpoints, damage
from workbench.store.checkpoints import OrderedSaver, copy, forget, open_saver, path_in

ran: list[str] = []


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[str], operator.add]
    draft: str
    verdict: str
    never_written: str


async def write(state: State) -> dict[str, Any]:
    ran.append("write")
    draft = f"draft {len(state['messages'])}: {state['messages'][-1].content}"
    return {"draft": draft, "messages": [AIMessage(draft)], "notes": ["wrote"]}


async def judge(state: State) -> dict[str, Any]:
    ran.append(f"judge {state['draft']}")
    return {"verdict": "good" if "better" in state["draft"] else "bad", "notes": ["judged"]}


async def revise(state: State) -> dict[str, Any]:
    ran.append(f"revise {state['draft']} {state.get('never_written', '')}".strip())
    return {"draft": "better draft", "messages": [AIMessage("better draft")], "notes": ["revised"]}


def route(state: State) -> Literal["revise", "__end__"]:
    return END if state["verdict"] == "good" else "revise"


def graph(saver: OrderedSaver | None) -> Any:
    builder = StateGraph(State)
    for name, node in (("write", write), ("judge", judge), ("revise", revise)):
        builder.add_node(name, node)
    builder.add_edge(START, "write")
    builder.add_edge("write", "judge")
    builder.add_conditional_edges("judge", route)
    builder.add_edge("revise", "judge")
    return builder.compile(checkpointer=saver)


UNBROKEN = ["write", "judge draft 1: Why?", "revise draft 1: Why?", "judge better draft"]


def on(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


async def go(saver: OrderedSaver, thread: str, first: State | None) -> list[str]:
    """Run the graph; the nodes that ran and what they saw."""
    ran.clear()
    async for _ in graph(saver).astream(first, on(thread), stream_mode="updates", durability="sync"):
        pass
    return list(ran)


async def checkpoint_before(saver: OrderedSaver, thread: str, node: str) -> str:
    """The oldest checkpoint of a thread at which a node is due."""
    found = [s async for s in graph(saver).aget_state_history(on(thread)) if s.next == (node,)]
    return str(found[-1].config["configurable"]["checkpoint_id"])


@pytest.fixture
async def saver(tmp_path: Path) -> AsyncIterator[OrderedSaver]:
    saver = await open_saver(tmp_path)
    yield saver
    await saver.conn.close()


@pytest.fixture
async def answered(saver: OrderedSaver) -> OrderedSaver:
    """A saver with one whole run on the thread `old`."""
    assert await go(saver, "old", {"messages": [HumanMessage("Why?")]}) == UNBROKEN
    return saver


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute(query)]


async def test_the_log_is_written_before_each_checkpoint_and_each_nodes_writes(saver, tmp_path, monkeypatch):
    seen: list[tuple[str, int, int]] = []

    def before(thread: str) -> None:
        kept = [rows(path_in(tmp_path), f"SELECT count(*) FROM {table}")[0] for table in ("checkpoints", "writes")]
        seen.append((thread, *kept))

    saver.before = before
    await go(saver, "old", {"messages": [HumanMessage("Why?")]})
    written = [rows(path_in(tmp_path), f"SELECT count(*) FROM {table}")[0] for table in ("checkpoints", "writes")]
    assert {thread for thread, *_ in seen} == {"old"}
    assert {kept for _, kept, _ in seen} == set(range(written[0]))  # each was called before the row was there
    assert len(seen) > written[0]  # and for the nodes' writes too


async def test_a_log_that_cannot_be_written_lets_no_checkpoint_be_written(saver, tmp_path):
    def before(thread: str) -> None:
        raise StoreError("The log cannot be written.")

    saver.before = before
    with pytest.raises(StoreError, match="cannot be written"):
        await go(saver, "old", {"messages": [HumanMessage("Why?")]})
    assert rows(path_in(tmp_path), "SELECT thread_id FROM checkpoints UNION SELECT thread_id FROM writes") == []


async def test_checkpoints_are_on_the_disk_when_they_are_written(saver):
    async def pragma(name: str) -> Any:
        cursor = await saver.conn.execute(f"PRAGMA {name}")
        return (await cursor.fetchone())[0]

    assert (await pragma("journal_mode"), await pragma("synchronous")) == ("wal", 2)


@pytest.mark.parametrize("node", ["write", "judge", "revise"])
async def test_a_copy_on_another_thread_goes_on_with_exactly_the_next_node(answered, node):
    place = await checkpoint_before(answered, "old", node)
    await copy(answered, "old", place, "new", {})
    assert await go(answered, "new", None) == UNBROKEN[[n.split()[0] for n in UNBROKEN].index(node) :]
    old, new = [(await graph(answered).aget_state(on(thread))) for thread in ("old", "new")]
    assert new.next == ()
    assert [m.content for m in new.values["messages"]] == [m.content for m in old.values["messages"]]
    assert (new.values["notes"], new.values["draft"]) == (old.values["notes"], old.values["draft"])
    assert new.metadata["step"] == old.metadata["step"]


async def test_a_copy_takes_the_edited_values_and_nothing_of_the_history(answered):
    place = await checkpoint_before(answered, "old", "revise")
    message = HumanMessage("Another question?")
    await copy(
        answered,
        "old",
        place,
        "new",
        {"draft": "my draft", "messages": [message], "notes": ["edited"], "never_written": "now it is"},
    )
    assert len([s async for s in graph(answered).aget_state_history(on("new"))]) == 1
    assert await go(answered, "new", None) == ["revise my draft now it is", "judge better draft"]
    values = (await graph(answered).aget_state(on("new"))).values
    assert [m.content for m in values["messages"]] == ["Another question?", "better draft"]
    assert (values["notes"], values["never_written"]) == (["edited", "revised", "judged"], "now it is")
    old = (await graph(answered).aget_state(on("old"))).values
    assert (old["notes"][0], "never_written" in old) == ("wrote", False)


async def test_a_copy_on_its_own_thread_becomes_the_newest(answered):
    place = await checkpoint_before(answered, "old", "judge")
    await copy(answered, "old", place, "old", {"draft": "a better one"})
    head = await graph(answered).aget_state(on("old"))
    assert (head.next, head.values["draft"], head.metadata["step"]) == (("judge",), "a better one", 1)
    assert await go(answered, "old", None) == ["judge a better one"]
    assert (await graph(answered).aget_state(on("old"))).values["notes"] == ["wrote", "judged"]


async def test_a_copy_of_a_step_in_the_middle_does_not_take_over_what_half_of_it_wrote(saver, monkeypatch):
    async def breaks(state: State) -> dict[str, Any]:
        raise ConnectionError("The model is gone.")

    def parallel(second: Any) -> Any:
        builder = StateGraph(State)
        builder.add_node("write", write)
        builder.add_node("second", second)
        builder.add_edge(START, "write")
        builder.add_edge(START, "second")
        return builder.compile(checkpointer=saver)

    async def works(state: State) -> dict[str, Any]:
        ran.append("second")
        return {"notes": ["second"]}

    ran.clear()
    with pytest.raises(ConnectionError):
        await parallel(breaks).ainvoke({"messages": [HumanMessage("Why?")]}, on("old"), durability="sync")
    place = (await saver.aget_tuple(on("old"))).config["configurable"]["checkpoint_id"]
    await copy(saver, "old", place, "new", {})
    assert (await saver.aget_tuple(on("new"))).pending_writes == []
    ran.clear()
    await parallel(works).ainvoke(None, on("new"), durability="sync")
    assert sorted(ran) == ["second", "write"]


@pytest.mark.parametrize(("thread", "place"), [("nobody", ""), ("old", "1f0c-no-such-checkpoint")])
async def test_a_checkpoint_that_is_not_there_is_named(answered, thread, place):
    with pytest.raises(StoreError, match=f"run {thread} at this step is not kept") as caught:
        await copy(answered, thread, place or "0", "new", {})
    assert caught.value.hint
    assert await answered.aget_tuple(on("new")) is None


async def test_a_write_that_is_cancelled_midway_leaves_the_file_open_to_others(answered, tmp_path):
    found = await answered.aget_tuple(on("old"))
    for turn in range(30):
        target = {"configurable": {"thread_id": f"t{turn}", "checkpoint_ns": ""}}
        task = asyncio.ensure_future(answered.aput(target, found.checkpoint, found.metadata, {}))
        for _ in range(turn % 10):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with closing(sqlite3.connect(path_in(tmp_path), timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
    assert not answered.conn.in_transaction


async def test_a_write_that_fails_leaves_no_transaction_behind(answered, tmp_path):
    await answered.conn.execute("PRAGMA busy_timeout=20")
    found = await answered.aget_tuple(on("old"))
    target = {"configurable": {"thread_id": "late", "checkpoint_ns": "", "checkpoint_id": "x"}}
    other = sqlite3.connect(path_in(tmp_path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await answered.aput(target, found.checkpoint, found.metadata, {})
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await answered.aput_writes(target, [("draft", "x")], "task")
    assert not answered.conn.in_transaction
    other.execute("DELETE FROM writes WHERE thread_id = 'nobody'")
    other.execute("COMMIT")
    other.close()
    await answered.aput(target, found.checkpoint, found.metadata, {})
    assert await answered.aget_tuple(on("late")) is not None


async def test_a_forgotten_run_has_no_checkpoints_and_others_keep_theirs(answered, tmp_path):
    place = await checkpoint_before(answered, "old", "judge")
    await copy(answered, "old", place, "new", {})
    forget(tmp_path, "old")
    assert rows(path_in(tmp_path), "SELECT DISTINCT thread_id FROM checkpoints") == ["new"]
    forget(tmp_path / "elsewhere", "old")


async def reopened(home: Path) -> str:
    """Open the checkpoints, run on them, close; what the opening had to tell."""
    saver = await open_saver(home)
    try:
        assert await go(saver, uuid4().hex, {"messages": [HumanMessage("Why?")]}) == UNBROKEN
        return saver.notice
    finally:
        await saver.conn.close()


def asides(home: Path) -> list[Path]:
    return [path for path in home.glob("checkpoints.db.corrupt-*") if not path.name.endswith(("-wal", "-shm"))]


async def filled(home: Path) -> bytearray:
    """A file of sound checkpoints that is closed."""
    saver = await open_saver(home)
    for turn in range(6):
        await go(saver, f"run-{turn}", {"messages": [HumanMessage("Why?")]})
    await saver.conn.close()
    assert not Path(f"{path_in(home)}-wal").exists()
    return bytearray(path_in(home).read_bytes())


async def test_sound_checkpoints_are_opened_without_a_word(tmp_path):
    await filled(tmp_path)
    assert await reopened(tmp_path) == ""
    assert rows(path_in(tmp_path), "SELECT count(DISTINCT thread_id) FROM checkpoints") == [7]


@pytest.mark.parametrize("wrong", ["header", "truncated", "page", "schema", "text"])
async def test_damaged_checkpoints_are_set_aside_whole_and_reported(tmp_path, wrong):
    content = await filled(tmp_path)
    match wrong:
        case "header":
            content[:100] = os.urandom(100)
        case "truncated":
            content = content[: len(content) // 2]
        case "page":
            content[8192:16384] = b"\xab" * 8192
        case "schema":
            content = content.replace(b"CREATE TABLE writes", b"CREATE \xff\xfe\x92LE writes")
        case "text":
            content = bytearray(b"this is no database at all, " * 100)
    path_in(tmp_path).write_bytes(content)
    notice = await reopened(tmp_path)
    (aside,) = asides(tmp_path)
    assert aside.read_bytes() == content
    assert str(aside) in notice and "cannot be resumed" in notice
    assert await reopened(tmp_path) == ""
    assert len(asides(tmp_path)) == 1


async def test_damage_that_is_met_in_use_is_looked_for_at_the_next_opening_however_large_the_file(
    tmp_path, monkeypatch
):
    content = await filled(tmp_path)
    content[8192:] = b"\xab" * len(content[8192:])
    path_in(tmp_path).write_bytes(content)
    monkeypatch.setattr(damage, "CHECKED_BYTES", 0)
    saver = await open_saver(tmp_path)
    assert saver.notice == ""
    with pytest.raises(sqlite3.DatabaseError) as caught:
        await go(saver, "run-0", None)
    await saver.conn.close()
    failed = checkpoints.failure(caught.value, tmp_path)
    assert failed is not None and "is damaged" in failed.message
    assert "set aside" in await reopened(tmp_path)
    assert await reopened(tmp_path) == ""


async def test_a_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be used"):
        await open_saver(tmp_path / "file" / "home")
    (tmp_path / "checkpoints.db").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        await open_saver(tmp_path)


OPENS = """
import asyncio, sys
from pathlib import Path
from tests.store.test_checkpoints import HumanMessage, UNBROKEN, go, open_saver
async def main():
    saver = await open_saver(Path(sys.argv[1]))
    for turn in range(5):
        assert await go(saver, f"{sys.argv[2]}-{turn}", {"messages": [HumanMessage("Why?")]}) == UNBROKEN
    await saver.conn.close()
asyncio.run(main())
"""


@pytest.mark.parametrize("damaged", [False, True])
def test_several_processes_open_and_write_the_same_checkpoints(tmp_path, damaged):
    if damaged:
        path_in(tmp_path).write_bytes(b"this is no database at all, " * 100)
    arguments = [[sys.executable, "-c", OPENS, str(tmp_path), f"run-{number}"] for number in range(3)]
    processes = [subprocess.Popen(line, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True) for line in arguments]
    for process in processes:
        _, complaint = process.communicate(timeout=120)
        assert (process.returncode, complaint) == (0, "")
    assert len(asides(tmp_path)) == damaged
    assert rows(path_in(tmp_path), "SELECT count(DISTINCT thread_id) FROM checkpoints") == [15]
    assert rows(path_in(tmp_path), "PRAGMA integrity_check") == ["ok"]
