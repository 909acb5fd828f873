"""Which memories come to mind: the three figures, their scales and their sum."""

import pytest

from agents.contract import Memory
from agents.recollection import Insight, Weights, best, by_words, cosines, grounded, scaled, unreflected

EVEN = Weights(1, 1, 1, 0.995)


def memory(text, importance=5, hours=0.0, kind="observation"):
    return Memory(id=text, text=text, importance=importance, hours=hours, kind=kind)


def figures(found):
    return [(one.memory.id, one.recency, one.importance, one.relevance, one.total) for one in found]


def test_each_figure_lies_between_the_least_and_the_most_and_their_sum_decides():
    memories = [memory("old", 9, hours=100), memory("dull", 1, hours=0), memory("plain", 3, hours=50)]
    vectors = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    found = figures(best(memories, vectors, "?", EVEN, 3))
    half = (0.995**50 - 0.995**100) / (1 - 0.995**100)
    assert found == [
        ("old", 0.0, 1.0, 1.0, 2.0),
        ("plain", round(half, 4), 0.25, 0.6, round(round(half, 4) + 0.85, 4)),
        ("dull", 1.0, 0.0, 0.0, 1.0),
    ]


def test_recency_fades_by_the_papers_half_percent_an_hour():
    """Three memories: the scale runs from the oldest to the newest, and the one between shows the decay."""
    memories = [memory("now"), memory("a day ago", hours=24), memory("a week ago", hours=168)]
    recency = {one.memory.id: one.recency for one in best(memories, None, "?", EVEN, 3)}
    fades = (0.995**24 - 0.995**168) / (1 - 0.995**168)
    assert recency == {"now": 1.0, "a day ago": round(fades, 4), "a week ago": 0.0}


@pytest.mark.parametrize(
    ("weights", "first"),
    [
        (Weights(1, 0, 0, 0.995), "new"),
        (Weights(0, 1, 0, 0.995), "important"),
        (Weights(0, 0, 1, 0.995), "cats and dogs"),
        (Weights(0, 0, 5, 0.995), "cats and dogs"),
    ],
)
def test_the_weights_decide_which_figure_counts(weights, first):
    memories = [memory("important", 10, hours=9), memory("cats and dogs", 1, hours=9), memory("new", 1)]
    assert best(memories, None, "my cats", weights, 1)[0].memory.id == first


def test_a_decay_of_one_forgets_nothing():
    memories = [memory("new"), memory("old", hours=9999)]
    assert [one.recency for one in best(memories, None, "?", Weights(1, 1, 1, 1.0), 2)] == [0.5, 0.5]


def test_only_so_many_come_to_mind_and_of_two_that_are_alike_the_newer_comes_first():
    memories = [memory("first"), memory("second"), memory("third")]
    assert [one.memory.id for one in best(memories, None, "?", EVEN, 2)] == ["third", "second"]


def test_what_is_in_view_already_is_compared_but_not_chosen():
    found = best([memory("a cat", 1), memory("a dog", 5), memory("a cow", 9)], None, "?", EVEN, 5, without={"a cow"})
    assert [(one.memory.id, one.importance) for one in found] == [("a dog", 0.5), ("a cat", 0.0)]


def test_without_memories_nothing_comes_to_mind():
    assert best([], None, "?", EVEN, 5) == []


def test_values_that_are_all_alike_tell_nothing_apart():
    assert scaled([3.0, 3.0]) == [0.5, 0.5] and scaled([]) == [] and scaled([7.0]) == [0.5]
    assert scaled([-1.0, 1.0, 0.0]) == [0.0, 1.0, 0.5]


def test_relevance_is_the_cosine_of_the_vectors():
    assert cosines([[2.0, 0.0], [5.0, 0.0], [0.0, 1.0], [-3.0, 0.0], [0.0, 0.0]]) == [1.0, 0.0, -1.0, 0.0]


def test_by_words_a_rare_word_counts_more_than_a_common_one():
    texts = ["the user has a cat", "the user has a boat", "the user has a car"]
    alike = by_words("Does the cat swim?", texts)
    assert alike[0] > alike[1] == alike[2] > 0
    assert by_words("zebra", texts) == [0.0, 0.0, 0.0]
    assert by_words("CAT!", ["a cat"]) == by_words("cat", ["a cat"])


def test_importance_counts_since_the_last_reflection_and_of_observations_alone():
    seen = [memory("a", 9), memory("b", 8, kind="reflection"), memory("c", 3), memory("d", 2, kind="plan")]
    assert unreflected(seen) == 3 and unreflected([*seen, seen[2], memory("e", 4)]) == 7
    assert unreflected([]) == 0


def test_a_mark_of_a_reflection_neither_comes_to_mind_nor_weighs():
    seen = [memory("a cat", 5), memory("a dog", 3)]
    mark = memory("Reflected on a cat.", 1, kind="reflection")
    assert unreflected([*seen, mark]) == 0
    assert best([mark, *seen], None, "cat", EVEN, 9) == best(seen, None, "cat", EVEN, 9)
    vectors = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert best([seen[0], mark, seen[1]], [*vectors[:2], [1.0, 0.0], vectors[2]], "cat", EVEN, 9) == best(
        seen, vectors, "cat", EVEN, 9
    )


def test_an_insight_that_names_no_memory_or_repeats_one_is_none():
    found = [
        Insight(because_of=[2, 2, 1], insight="Both.", importance=7),
        Insight(because_of=[3, 0], insight="From nowhere.", importance=9),
        Insight(because_of=[1], insight="Two!", importance=9),
    ]
    kept, left_out = grounded(found, [memory("one"), memory("two")])
    assert [(one.text, one.kind, one.sources, one.importance) for one in kept] == [
        ("Both.", "reflection", ("two", "one"), 7)
    ]
    assert left_out == [
        "Left out, since it names none of the memories: From nowhere.",
        "Left out, since it only repeats a memory: Two!",
    ]
