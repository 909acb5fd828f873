"""Streams of memories: stored once, found, edited and deleted."""

from collections.abc import Iterator

import pytest

from workbench.errors import InvalidRequest
from workbench.store.memories import MemoryStore, New
from workbench.store.runs import RunStore


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memories(store: RunStore, clock: Clock) -> Iterator[MemoryStore]:
    yield MemoryStore(store.database, clock)


def texts(memories: MemoryStore, stream: str = "default", search: str = "") -> list[str]:
    return [one.text for one in memories.of(stream, search)]


def test_memories_are_kept_in_their_order_with_all_that_is_known_of_them(memories: MemoryStore, clock: Clock):
    first, second = memories.add(
        "default", [New("Ada has a cat.", 4), New("Ada moves.", 8)], "run-1", "run-1:observe:1"
    )
    clock.now += 60
    (insight,) = memories.add("default", [New("Ada's cat moves.", 6, "reflection", (first.id, second.id))], "run-1")
    assert memories.of("default") == [first, second, insight]
    assert (insight.kind, insight.sources, insight.run) == ("reflection", (first.id, second.id), "run-1")
    assert (first.stored_at, insight.stored_at, insight.retrieved_at) == (1_000_000, 1_000_060, 1_000_060)
    assert [tuple(row) for row in memories.streams()] == [("default", 3, 1, 1_000_060)]


def test_what_a_stream_has_word_for_word_is_not_stored_again(memories: MemoryStore):
    (one,) = memories.add("default", [New("Ada has a cat.", 4)])
    (again,) = memories.add("default", [New("  ada has  a CAT. ", 9)], "run-2")
    assert again == one and texts(memories) == ["Ada has a cat."]
    memories.add("other", [New("Ada has a cat.", 4)])
    assert texts(memories, "other") == ["Ada has a cat."]


def test_the_same_place_in_a_run_stores_once_though_the_person_has_edited_it_since(memories: MemoryStore):
    news = [New("Ada has a cat.", 4), New("It is grey.", 2)]
    one, two = memories.add("default", news, "run-1", "run-1:observe:1")
    edited = memories.edit(one.id, "Ada has two cats.", 5)
    assert memories.add("default", news, "run-1", "run-1:observe:1") == [edited, two]
    assert texts(memories) == ["Ada has two cats.", "It is grey."]


def test_a_search_finds_all_its_words_in_any_case(memories: MemoryStore):
    memories.add("default", [New("Ada has a Çat.", 4), New("Ada moves.", 8)])
    assert texts(memories, search="ADA çat") == ["Ada has a Çat."]
    assert texts(memories, search="100%") == []


def test_an_edited_text_loses_its_vector_and_an_edited_importance_does_not(memories: MemoryStore):
    (one,) = memories.add("default", [New("Ada has a cat.", 4)])
    memories.embedded("mini", [(one, [0.5, -0.25])])
    assert memories.find(one.id).vector == (0.5, -0.25) and memories.find(one.id).model == "mini"
    assert memories.edit(one.id, "Ada has a cat.", 7).vector == (0.5, -0.25)
    after = memories.edit(one.id[:6], "Ada has a dog.", 7)
    assert (after.text, after.importance, after.model, after.vector) == ("Ada has a dog.", 7.0, "", ())
    memories.embedded("mini", [(one, [0.5, -0.25])])  # of the old text: it was edited while this was made
    assert memories.find(one.id).vector == () and memories.find(one.id).model == ""


def test_an_edit_cannot_make_two_of_the_same(memories: MemoryStore):
    _, two = memories.add("default", [New("One.", 1), New("Two.", 2)])
    with pytest.raises(InvalidRequest, match="already"):
        memories.edit(two.id, "one.", 2)
    assert texts(memories) == ["One.", "Two."]


def test_a_memory_or_a_whole_stream_is_deleted(memories: MemoryStore):
    one, _ = memories.add("default", [New("One.", 1), New("Two.", 2)])
    memories.add("work", [New("Three.", 3)])
    memories.remove(one.id)
    assert texts(memories) == ["Two."]
    assert memories.remove_stream("default") == 1
    assert [row.name for row in memories.streams()] == ["work"]
    with pytest.raises(InvalidRequest, match="no stream named 'default'") as caught:
        memories.remove_stream("default")
    assert caught.value.hint == "There are: work."
    with pytest.raises(InvalidRequest, match="no memory"):
        memories.remove(one.id)


def test_the_moment_of_a_retrieval_only_goes_forward(memories: MemoryStore):
    one, two = memories.add("default", [New("One.", 1), New("Two.", 2)])
    memories.touch([one.id], 1_000_500)
    memories.touch([one.id, two.id], 1_000_200)
    assert [kept.retrieved_at for kept in memories.of("default")] == [1_000_500, 1_000_200]


@pytest.mark.parametrize(
    ("stream", "new", "wrong"),
    [
        ("", New("One.", 1), "name of 1 to 64"),
        ("x" * 65, New("One.", 1), "name of 1 to 64"),
        ("a\tb\x07", New("One.", 1), "name of 1 to 64"),
        ("default", New("  ", 1), "1 to 2,000 characters"),
        ("default", New("x" * 2001, 1), "1 to 2,000 characters"),
        ("default", New("One.", 0.5), "from 1 to 10"),
        ("default", New("One.", 11), "from 1 to 10"),
        ("default", New("One.", float("nan")), "from 1 to 10"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_a_sentence(memories: MemoryStore, stream: str, new: New, wrong: str):
    with pytest.raises(InvalidRequest, match=wrong):
        memories.add(stream, [New("Fine.", 5), new])
    assert memories.streams() == []


def test_an_id_that_is_ambiguous_is_not_guessed(memories: MemoryStore, monkeypatch: pytest.MonkeyPatch):
    ids = iter(["abcd11", "abcd22"])
    monkeypatch.setattr("workbench.store.memories.uuid4", lambda: type("Id", (), {"hex": next(ids)}))
    memories.add("default", [New("One.", 1), New("Two.", 2)])
    with pytest.raises(InvalidRequest, match="Several"):
        memories.find("abcd")
    assert memories.find("abcd2").text == "Two."
