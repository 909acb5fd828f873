"""How full the context window is: sizes and whence they are known, growth, and when it will be full."""

import pytest

from workbench import context
from workbench.context import Forecast, Growth, slope
from workbench.events import ModelAnswered, ModelCalled, RunView, Summarised

WINDOW = 8_192


def called(number: int, tokens: int | None, role: str = "thinker", **more: object) -> ModelCalled:
    fields: dict[str, object] = {"node": "think", "step": number, "prompt_estimate": tokens, "context_window": WINDOW}
    given = fields | {"role": role, "messages": (), "parameters": {"max_tokens": 1_000}} | more
    return ModelCalled(run_id="r", seq=2 * number, at=number, call_id=f"c{number}{role}", **given)  # type: ignore[arg-type]


def answered(number: int, role: str = "thinker", **more: object) -> ModelAnswered:
    return ModelAnswered(run_id="r", seq=2 * number + 1, at=number, call_id=f"c{number}{role}", text="x", **more)  # type: ignore[arg-type]


def growth(*sizes: int, role: str = "thinker", window: int = WINDOW, answer: int = 100) -> Growth:
    found = Growth()
    for number, tokens in enumerate(sizes, 1):
        found.take(
            called(number, tokens, role, context_window=window), answered(number, role, completion_tokens=answer)
        )
    return found


def forecast(*sizes: int, **more: int) -> Forecast:
    found = growth(*sizes, **more).forecast()  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("call", "answer", "source", "words"),
    [
        (called(1, 900), answered(1, prompt_tokens=910), "measured", "910 of 8,192 tokens"),
        (called(1, 900), None, "counted", "900 of 8,192 tokens"),
        (called(1, 900, prompt_counted=False), None, "estimated", "about 900 of 8,192 tokens"),
        (called(1, 900, prompt_counted=False), answered(1), "estimated", "about 900 of 8,192 tokens"),
        (called(1, 900, context_window=None), None, "counted", "900 tokens"),
        (called(1, 900), answered(1, prompt_tokens=910, context_window=4_096), "measured", "910 of 4,096 tokens"),
    ],
)
def test_a_size_says_how_it_is_known(call: ModelCalled, answer: ModelAnswered | None, source: str, words: str) -> None:
    found = context.size(call, answer)
    assert found is not None and found.source == source and context.used(found) == words


def test_nothing_is_said_of_what_nobody_knows_and_of_what_the_person_answered() -> None:
    assert context.size(called(1, None)) is None
    assert context.size(called(1, 900, by_person=True)) is None


@pytest.mark.parametrize(
    ("tokens", "word"), [(6_000, ""), (6_144, "filling up"), (7_373, "nearly full"), (9_000, "does not fit")]
)
def test_a_word_says_that_the_window_is_getting_full(tokens: int, word: str) -> None:
    found = context.size(called(1, tokens))
    assert found is not None and context.standing(found) == word


def test_growth_is_not_moved_by_one_odd_prompt() -> None:
    assert slope([1_000, 1_400, 1_800, 2_200, 2_600]) == 400
    assert slope([1_000, 1_400, 5_000, 2_200, 2_600]) == 400


def test_the_forecast_says_how_many_steps_are_left_with_their_answers() -> None:
    found = forecast(1_500, 1_910, 2_320)
    assert (found.last, found.growth, found.calls) == (2_320, 410, 3)
    assert found.overflow_in == 14  # 2,320 + 14 * 410 + 100 fit, one more does not
    assert found.next_needs == 2_320 + 410 + 1_000
    assert context.told(found) == "+410 a step, full in about 14 steps"


def test_it_is_said_when_not_even_the_next_one_fits() -> None:
    found = forecast(900, 1_400, 1_900, window=2_048)
    assert found.overflow_in == 0
    assert context.told(found) == "+500 a step, too full for the next step"
    assert "the next one will not fit the context window of 2,048" in context.warning(found)


def test_one_call_and_prompts_of_one_size_give_no_forecast() -> None:
    assert growth(1_500).forecast() is None
    assert growth(1_500, 1_500, 1_500).forecast() is None
    assert growth(1_500, 1_400, 1_300).forecast() is None


def test_without_a_window_there_is_no_forecast() -> None:
    found = Growth()
    for number, tokens in ((1, 100), (2, 900)):
        found.take(called(number, tokens, context_window=None))
    assert found.forecast() is None


def test_of_roles_that_take_turns_each_grows_on_its_own_and_the_soonest_counts() -> None:
    found = Growth()
    for number, (writer, critic) in enumerate([(500, 3_000), (900, 4_000), (1_300, 5_000)]):
        for offset, role, tokens in ((0, "generator", writer), (1, "critic", critic)):
            found.take(called(2 * number + offset, tokens, role), answered(2 * number + offset, role))
    soonest = found.forecast()
    assert soonest is not None and (soonest.role, soonest.growth, soonest.overflow_in) == ("critic", 1_000, 3)


def test_a_prompt_that_is_asked_again_in_the_same_step_is_no_growth() -> None:
    found = growth(1_000, 1_100)
    found.take(called(2, 1_500), answered(2))
    soonest = found.forecast()
    assert soonest is not None and (soonest.growth, soonest.calls) == (100, 2)


def test_after_earlier_turns_were_left_out_a_new_series_begins() -> None:
    found = growth(3_000, 4_000, 5_000)
    found.shorten()
    assert found.forecast() is None
    found.take(called(4, 2_000), answered(4))
    found.take(called(5, 2_200), answered(5))
    soonest = found.forecast()
    assert soonest is not None and (soonest.growth, soonest.calls) == (200, 5)


def test_a_window_that_is_raised_counts_for_all_roles() -> None:
    found = growth(1_000, 2_000, window=3_000)
    found.take(called(9, 500, "critic", context_window=30_000), answered(9, "critic"))
    soonest = found.forecast()
    assert soonest is not None and soonest.window == 30_000


def test_the_fold_gives_the_same_forecast_as_the_calls_one_by_one() -> None:
    made = Summarised(run_id="r", seq=9, at=4, node="think", step=4, call_id="c4summariser", text="x")
    events = [e for n, size in enumerate((3_000, 4_000, 5_000), 1) for e in (called(n, size), answered(n))]
    begun = [*events, called(4, 2_500, "summariser"), made]
    rest = [called(5, 2_000), answered(5), called(6, 2_300), answered(6)]
    view = RunView.of(e.model_copy(update={"seq": seq}) for seq, e in enumerate([*begun, *rest]))
    soonest = context.forecast(view)
    assert soonest is not None and (soonest.growth, soonest.last) == (300, 2_300)


@pytest.mark.parametrize(("most", "is_soon"), [(None, True), (20, True), (6, True), (5, False)])
def test_a_run_that_ends_before_the_window_is_full_is_not_warned_about(most: int | None, is_soon: bool) -> None:
    found = forecast(1_000, 2_000, 3_000, window=5_200)
    assert (found.overflow_in, found.calls) == (2, 3)
    assert context.is_soon(found, most) == is_soon
    assert not context.is_soon(forecast(1_000, 2_000, 3_000, window=9_000), most)
