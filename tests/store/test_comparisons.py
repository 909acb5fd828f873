"""Comparisons: kept with their lanes, voted on, and counted."""

import pytest

from tests.store.samples import NOON, a_request
from workbench.errors import InvalidRequest
from workbench.request import ModelSettings, RunRequest
from workbench.store.comparisons import TIE, Comparison, ComparisonStore, Lane, Tally, new_id
from workbench.store.runs import RunStore

PROMPTS = {"system": "0123456789ab"}


@pytest.fixture
def comparisons(store: RunStore) -> ComparisonStore:
    return ComparisonStore(store.database)


def lane(machine: str = "direct", run: str = "", **settings: object) -> Lane:
    request = a_request(machine=machine).model_copy(update={"settings": ModelSettings.model_validate(settings)})
    return Lane.of(run or f"run-of-{machine}", machine.title(), request, PROMPTS)


DIRECT, COT, REFLECTION = lane("direct"), lane("cot"), lane("reflection")


def kept(comparisons: ComparisonStore, *lanes: Lane, blind: bool = False, question: str = "Why?") -> Comparison:
    return comparisons.create(new_id(), question, lanes or (DIRECT, REFLECTION), blind)


def voted(comparisons: ComparisonStore, lanes: tuple[Lane, ...], choice: int, answered: tuple[int, ...] = ()) -> None:
    comparisons.vote(kept(comparisons, *lanes).id, choice, answered or tuple(range(len(lanes))))


def test_a_comparison_is_read_back_as_it_was(comparisons: ComparisonStore):
    made = kept(comparisons, DIRECT, lane("react", seed=7, temperature=0.5), blind=True, question="Wie groß? 🌍")
    assert comparisons.get(made.id) == made
    assert made.vote is None and made.hidden
    assert RunRequest.model_validate(made.lanes[1].asked | {"question": "Why?"}).settings.temperature == 0.5


def test_comparisons_are_listed_newest_first_page_by_page(comparisons: ComparisonStore):
    made = [kept(comparisons, question=f"Question {number}").id for number in range(5)]
    listed = [one.id for page in range(3) for one in comparisons.recent(2, page * 2)]
    assert sorted(listed) == sorted(made)
    assert [one.created_at for one in comparisons.recent()] == sorted(
        (one.created_at for one in comparisons.recent()), reverse=True
    )
    assert comparisons.count() == 5


def test_a_comparison_that_there_is_not_is_said_in_a_sentence(comparisons: ComparisonStore):
    for act in (comparisons.get, comparisons.delete, comparisons.withdraw, comparisons.unhide):
        with pytest.raises(InvalidRequest, match="There is no comparison nope"):
            act("nope")
    with pytest.raises(InvalidRequest, match="There is no comparison"):
        comparisons.vote("no\x00pe\ud800", 0, (0, 1))


def test_a_vote_is_kept_changed_and_taken_back(comparisons: ComparisonStore):
    made = kept(comparisons)
    comparisons.vote(made.id, 1, (0, 1), " shorter\x00 ")
    first = comparisons.get(made.id)
    assert (first.vote, first.note) == (1, "shorter") and first.voted_at
    assert comparisons.vote(made.id, TIE, (0, 1)).vote == TIE
    assert comparisons.withdraw(made.id).vote is None


def test_a_lane_without_an_answer_cannot_be_voted_for(comparisons: ComparisonStore):
    made = kept(comparisons, DIRECT, COT, REFLECTION)
    with pytest.raises(InvalidRequest, match="no answer to vote for"):
        comparisons.vote(made.id, 2, (0, 1))
    with pytest.raises(InvalidRequest, match="no two answers"):
        comparisons.vote(made.id, 0, (0,))
    assert comparisons.get(made.id).vote is None


def test_a_lane_that_was_answered_at_the_vote_counts_as_answered_though_its_run_is_gone(comparisons: ComparisonStore):
    made = kept(comparisons, DIRECT, COT, REFLECTION)
    assert comparisons.vote(made.id, 2, (0, 1, 2)).answered == (0, 1, 2)
    assert comparisons.vote(made.id, 2, (0, 1)).answered == (0, 1, 2)
    assert comparisons.tallies([DIRECT.key, REFLECTION.key])[DIRECT.key, REFLECTION.key] == Tally(losses=1)
    assert comparisons.withdraw(made.id).answered == ()
    with pytest.raises(InvalidRequest, match="no answer to vote for"):
        comparisons.vote(made.id, 2, (0, 1))


def test_a_note_is_kept_without_touching_the_vote(comparisons: ComparisonStore):
    made = kept(comparisons, blind=True)
    assert comparisons.annotate(made.id, "wait\x00 ").hidden
    voted_on = comparisons.vote(made.id, 1, (0, 1), "shorter")
    assert comparisons.annotate(made.id, " clearer ") == voted_on.model_copy(update={"note": "clearer"})
    with pytest.raises(InvalidRequest, match="There is no comparison nope"):
        comparisons.annotate("nope", "why")


def test_a_blind_comparison_is_hidden_until_the_vote_and_never_again(comparisons: ComparisonStore):
    made = kept(comparisons, blind=True)
    assert made.hidden
    assert not comparisons.vote(made.id, 0, (0, 1)).hidden
    assert not comparisons.withdraw(made.id).hidden
    assert not comparisons.unhide(kept(comparisons, blind=True).id).hidden


def test_lanes_are_the_same_whatever_their_seed():
    assert lane(seed=1).key == lane(seed=2).key == lane(logprobs=False).key


def test_lanes_differ_by_all_else_that_decides_the_answer():
    keys = {
        DIRECT.key,
        COT.key,
        lane(temperature=0.9).key,
        lane(max_tokens=64).key,
        Lane.of("r", "Direct", a_request(machine="direct").model_copy(update={"model": "other"}), PROMPTS).key,
        Lane.of("r", "Direct", a_request(machine="direct").model_copy(update={"backend": "ollama"}), PROMPTS).key,
        Lane.of("r", "D", a_request(machine="direct").model_copy(update={"options": {"brief": True}}), PROMPTS).key,
        Lane.of("r", "Direct", a_request(machine="direct"), {"system": "ba9876543210"}).key,
    }
    assert len(keys) == 8


def test_a_vote_is_for_its_lane_against_each_other_and_says_nothing_between_those(comparisons: ComparisonStore):
    voted(comparisons, (DIRECT, COT, REFLECTION), 2)
    found = comparisons.tallies([REFLECTION.key, DIRECT.key, COT.key])
    assert found[REFLECTION.key, DIRECT.key] == Tally(wins=1)
    assert found[REFLECTION.key, COT.key] == Tally(wins=1)
    assert found[DIRECT.key, COT.key] == Tally()


def test_votes_are_counted_over_all_comparisons_in_whatever_order_the_lanes_stood(comparisons: ComparisonStore):
    voted(comparisons, (DIRECT, REFLECTION), 1)
    voted(comparisons, (REFLECTION, DIRECT), 0)
    voted(comparisons, (REFLECTION, DIRECT), 1)
    voted(comparisons, (DIRECT, REFLECTION), TIE)
    voted(comparisons, (DIRECT, COT), 0)
    kept(comparisons)
    assert comparisons.tallies([DIRECT.key, REFLECTION.key]) == {
        (DIRECT.key, REFLECTION.key): Tally(wins=1, losses=2, ties=1)
    }
    assert comparisons.tallies([REFLECTION.key, DIRECT.key]) == {
        (REFLECTION.key, DIRECT.key): Tally(wins=2, losses=1, ties=1)
    }


def test_a_lane_that_failed_has_not_lost(comparisons: ComparisonStore):
    voted(comparisons, (DIRECT, COT, REFLECTION), 0, answered=(0, 1))
    voted(comparisons, (DIRECT, COT, REFLECTION), TIE, answered=(0, 1))
    found = comparisons.tallies([DIRECT.key, COT.key, REFLECTION.key])
    assert found[DIRECT.key, COT.key] == Tally(wins=1, ties=1)
    assert found[DIRECT.key, REFLECTION.key] == found[COT.key, REFLECTION.key] == Tally()


def test_lanes_that_are_alike_have_one_vote_together(comparisons: ComparisonStore):
    voted(comparisons, (DIRECT, lane("direct", "another", seed=3), REFLECTION), 1)
    assert comparisons.tallies([DIRECT.key, DIRECT.key, REFLECTION.key]) == {
        (DIRECT.key, REFLECTION.key): Tally(wins=1)
    }
    assert comparisons.tallies([DIRECT.key, DIRECT.key]) == {}


def test_deleting_a_comparison_keeps_its_runs_and_counts_its_vote_no_longer(
    comparisons: ComparisonStore, store: RunStore
):
    made = kept(comparisons)
    store.create(made.lanes[0].run, a_request(), "Direct", NOON, belongs=f"comparison:{made.id}")
    comparisons.vote(made.id, 0, (0, 1))
    comparisons.delete(made.id)
    assert comparisons.count() == 0
    assert store.run(made.lanes[0].run).belongs == f"comparison:{made.id}"
    assert comparisons.tallies([DIRECT.key, REFLECTION.key]) == {(DIRECT.key, REFLECTION.key): Tally()}
