"""The rows of structured answers: read once from each log, read again when it grows, counted and found."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.store.samples import NOON, begin
from tests.test_schema_answers import Structured
from workbench.events import Delta
from workbench.schema_answers import SchemaAnswer
from workbench.store.runs import RunStore
from workbench.store.schema_answers import Chosen, SchemaAnswers
from workbench.store.tables import events

LATER = "2026-11-24T12:00:00.000+00:00"
CUT = {"finish_reason": "length"}


def write(store: RunStore, log: Structured) -> None:
    begin(store, log.run_id)
    store.append(log.events)


def mended(run_id: str, created_at: str = NOON, **request: str) -> Structured:
    """A question that was answered validly at the second attempt, and one at once."""
    log = Structured(run_id, created_at=created_at, request=request).call("c1").say("c1", '{"ti', **CUT)
    log.refuse("c1", "it was cut after 300 tokens").call("c2").say("c2").call("c3", step=2).say("c3")
    return log


def given_up(run_id: str) -> Structured:
    log = Structured(run_id, created_at=LATER).call("c1").say("c1", "{}")
    return log.give_up("title: Field required")


@pytest.fixture
def found(store: RunStore) -> SchemaAnswers:
    return SchemaAnswers(store.database)


def caught_up(found: SchemaAnswers) -> list[tuple[int, int]]:
    return list(found.catch_up())


def test_every_log_is_read_once(store: RunStore, found: SchemaAnswers):
    write(store, mended("aaaa1111"))
    write(store, given_up("bbbb2222"))
    begin(store, "empty123")
    assert found.behind() == 2
    assert caught_up(found) == [(2, 2)]
    assert found.behind() == 0 and caught_up(found) == []
    (rate,) = found.rates()
    assert (rate.answers, rate.asked, rate.first, rate.mended, rate.given_up, rate.ended) == (4, 3, 1, 1, 1, 3)
    assert rate.kinds == {"cut": 1, "missing": 1} and rate.constrained


def test_a_log_that_has_grown_is_read_again_and_nothing_is_counted_twice(store: RunStore, found: SchemaAnswers):
    log = mended("aaaa1111")
    begin(store, log.run_id)
    store.append(log.events[:4])
    caught_up(found)
    assert [rate.asked for rate in found.rates()] == [1]
    store.append(log.events[4:])
    assert caught_up(found) == [(1, 1)]
    assert [(rate.asked, rate.mended, rate.answers) for rate in found.rates()] == [(2, 1, 3)]


def test_failures_are_listed_newest_first_with_their_story(store: RunStore, found: SchemaAnswers):
    write(store, mended("aaaa1111"))
    write(store, given_up("bbbb2222"))
    caught_up(found)
    rows = found.failures()
    assert [(row.run_id, row.kind, row.given_up) for row in rows] == [
        ("bbbb2222", "missing", True),
        ("aaaa1111", "cut", False),
    ]
    assert isinstance(rows[0], SchemaAnswer) and rows[0].valid is False
    assert found.failures(limit=1, offset=1) == rows[1:] and found.count_failures() == 2
    told = found.story(store, rows[1])
    assert told is not None and (told.text, told.then) == ('{"ti', "mended")


def test_the_pieces_of_an_answer_that_never_ended_are_found(store: RunStore, found: SchemaAnswers):
    log = Structured("aaaa1111").call("c1")
    log.add(Delta, call_id="c1", channel="text", text="on and on")
    write(store, log.broken("c1", "reply_too_long"))
    caught_up(found)
    told = found.story(store, found.failures()[0])
    assert told is not None and told.text == "on and on"


def test_answers_are_chosen_by_what_they_are_of(store: RunStore, found: SchemaAnswers):
    write(store, mended("aaaa1111", model="qwen", backend="ollama@lab"))
    write(store, given_up("bbbb2222"))
    caught_up(found)
    assert found.values("backend") == ["ollama@lab", "scripted"]
    assert [rate.backend for rate in found.rates(Chosen(backend="ollama@lab"))] == ["ollama@lab"]
    assert found.count_failures(Chosen(since="2026-11-24")) == 1
    assert found.count_failures(Chosen(kind="cut")) == 1
    assert found.rates(Chosen(machine="react")) == [] == found.rates(Chosen(schema="x' OR 1=1"))


def test_answers_that_were_only_told_of_the_schema_have_a_rate_of_their_own(store: RunStore, found: SchemaAnswers):
    write(store, Structured("aaaa1111").call("c1").say("c1").call("c2", step=2, constrained=False).say("c2"))
    caught_up(found)
    assert sorted(rate.constrained for rate in found.rates()) == [False, True]


def test_a_deleted_run_takes_its_rows_with_it(store: RunStore, found: SchemaAnswers):
    write(store, given_up("bbbb2222"))
    caught_up(found)
    store.delete("bbbb2222")
    assert found.rates() == [] and found.count_failures() == 0 and found.behind() == 0


def test_a_damaged_log_is_named_and_the_others_are_counted(store: RunStore, found: SchemaAnswers):
    write(store, mended("aaaa1111"))
    write(store, given_up("bbbb2222"))
    with store.database.write() as connection:
        broken = events.update().where(events.c.run_id == "bbbb2222", events.c.kind == "model_answered")
        connection.execute(broken.values(payload="{"))
    caught_up(found)
    assert found.unreadable == {"bbbb2222"} and [rate.asked for rate in found.rates()] == [2]
    assert found.behind() == 0


def test_a_log_from_elsewhere_may_be_as_wide_as_it_likes(store: RunStore, found: SchemaAnswers):
    wide, nul = "x" * 5_000, "a\x00b"
    log = Structured("aaaa1111").call(wide).say(wide, "x").refuse(wide, nul + wide)
    log.call("c2", model=nul, json_schema={"title": wide}).say("c2")
    write(store, log)
    caught_up(found)
    assert len(found.failures()[0].call_id) == 64
    assert {len(rate.schema) for rate in found.rates()} == {4, 120}


def test_two_that_read_the_same_logs_do_not_count_them_twice(store: RunStore):
    write(store, mended("aaaa1111"))
    readers = [SchemaAnswers(store.database) for _ in range(4)]
    with ThreadPoolExecutor(len(readers)) as pool:
        list(pool.map(caught_up, readers))
    assert [rate.answers for rate in readers[0].rates()] == [3]
