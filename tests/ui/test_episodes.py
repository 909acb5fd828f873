"""The curve of the rewards."""

import re

from tests.runs import run
from tests.ui.test_markdown import Tags
from workbench.events import Reward
from workbench.ui.episodes import rewards_html


def text(html: str) -> str:
    return " ".join(Tags(html).text.split())


def heights(html: str) -> list[float]:
    return [float(y) for y in re.findall(r"bottom:([\d.]+)%", html)]


def test_without_trials_there_is_no_curve():
    assert rewards_html([]) == ""


def test_a_higher_reward_stands_higher_and_the_return_is_their_sum():
    html = rewards_html([Reward(0, 0.25, "critic"), Reward(1, 1.0, "critic"), Reward(2, 0.5, "critic")])
    first, second, third = heights(html)
    assert first < third < second
    assert "return 1.75" in text(html) and "none discounted" in html
    assert 'aria-label="trial 1: 0.25; trial 2: 1; trial 3: 0.5"' in html
    assert "judged by a critic" in text(html)


def test_rewards_of_different_sources_are_told_apart_in_words():
    html = rewards_html([Reward(0, 0, "self"), Reward(1, 0.5, "gold"), Reward(2, 1, "gold")])
    assert "trial 2, 3: the known answer or tests; trial 1: the model itself" in text(html)
    assert html.count('class="wb-tool"') == 2 and html.count('class="wb-thinking"') == 1


def test_a_single_trial_is_a_point_in_the_middle():
    html = rewards_html([Reward(0, 1, "gold")])
    assert heights(html) == [100] and html.count("left:50.0%") == 2


def test_many_trials_stay_inside_and_leave_their_values_to_the_pointer():
    html = rewards_html([Reward(n, n / 9, "gold") for n in range(10)])
    places = [float(x) for x in re.findall(r"left:([\d.]+)%", html)]
    assert min(places) > 0 and max(places) < 100 and "<b>" not in html
    assert 'title="Trial 10: reward 1, judged by the known answer or tests"' in html


def test_who_gave_a_reward_is_read_off_the_log(settings):
    answers = ["Answer: 5", '{"mistake": "No.", "plan": "4"}', "Answer: 4"]
    _, view = run(settings, "reflexion", answers, actor="cot", evaluator="answer", expected="4")
    assert view.rewards == [Reward(0, 0.0, "gold"), Reward(1, 1.0, "gold")]
    assert "return 1" in text(rewards_html(view.rewards))
