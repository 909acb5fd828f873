"""The scorers as a person chooses them: what each needs, what its form offers, what is refused, which one fits."""

import annotated_types
import pytest

from workbench.errors import InvalidRequest, ScorerError
from workbench.experiments import shipped
from workbench.experiments.model import Item
from workbench.experiments.scorers import registry
from workbench.experiments.scorers.base import Reply
from workbench.ui import forms

WITHOUT = {"regex": {"pattern": "x"}}


async def nobody(messages, schema) -> Reply:
    raise AssertionError("nobody is to be asked")


def made(name):
    return registry.create(name, WITHOUT.get(name, {}), nobody)


def items(*answers, **fields):
    return [Item(id=str(number), question="?", answer=answer, **fields) for number, answer in enumerate(answers)]


@pytest.mark.parametrize("name", registry.SCORERS)
def test_every_scorer_says_what_it_is(name):
    scorer = made(name)
    assert scorer.name == name
    assert scorer.title and scorer.summary.endswith(".")
    assert scorer.needs <= {"answer", "tests", "choices"}


@pytest.mark.parametrize("name", registry.SCORERS)
def test_every_setting_is_described_and_bounded_and_has_a_widget(name):
    model = registry.kind(name).settings
    assert len(forms.controls(model, "scorer")) == len(model.model_fields)
    for field in model.model_fields.values():
        assert field.description and field.description.endswith(".")
        bounds = [kind for kind in field.metadata if isinstance(kind, annotated_types.Le | annotated_types.MaxLen)]
        assert bounds or field.annotation not in (int, float, str)


@pytest.mark.parametrize("name", [name for name in registry.SCORERS if name not in ("judge", "person")])
async def test_every_other_scorer_is_sure_of_an_empty_answer(name):
    tested = Item(id="1", question="?", answer="Paris 7" if name != "numeric" else "7", tests="assert f()")
    score = await made(name).score(tested, "")
    assert score.value == 0 and score.said


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("exakt", {}, "There is no scorer named 'exakt'."),
        ("numeric", {"tolerance": 1}, "The scorer numeric has no setting 'tolerance'."),
        ("numeric", {"absolute": -1}, "The scorer numeric, absolute: input should be greater than or equal to 0."),
        ("numeric", {"relative": float("nan")}, "The scorer numeric, relative: input should be a finite number."),
        ("unit_tests", {"timeout": 3600}, "The scorer unit_tests, timeout: input should be less than or equal to 60."),
        ("contains", {"where": "above"}, "The scorer contains, where: input should be 'answer' or 'everywhere'."),
        ("regex", {}, "The scorer regex, pattern: field required."),
        ("regex", {"pattern": "("}, "The scorer regex, pattern: missing ) at position 1."),
        ("regex", {"pattern": "(?:" * 300 + ")" * 300}, "The scorer regex, pattern: string should have at most"),
        ("regex", {"pattern": "(?:" * 240 + ")" * 240}, "The scorer regex, pattern: it is nested too deeply."),
        ("regex", {"pattern": "((a{99}){99}){99}"}, "counted repeats multiply to 970,299; 100,000 is the most."),
        ("judge", {}, "The scorer judge needs a model to ask."),
        ("person", {"name": "Ann"}, "The scorer person has no setting 'name'."),
    ],
)
def test_what_cannot_be_is_refused_with_the_scorer_the_setting_and_what_is_allowed(name, settings, said):
    with pytest.raises(InvalidRequest) as refused:
        registry.create(name, settings)
    assert said in refused.value.message
    assert refused.value.hint


def test_what_items_lack_is_said_with_how_many_they_are():
    tests = registry.create("unit_tests")
    some = [*items("a", "b", tests="assert f()"), *items("c")]
    assert registry.check(tests, some) == "1 of 3 items has no tests."
    assert registry.check(tests, items("a", "b")) == "2 of 2 items have no tests."
    assert registry.check(tests, items("a", tests="def check(candidate):\n    assert candidate()")) == (
        "1 of 1 item has tests that check nothing."
    )
    assert registry.check(tests, some[:2]) == ""


def test_an_answer_that_is_no_number_cannot_be_compared_with_one():
    scorer = registry.create("numeric")
    assert registry.check(scorer, items("42", "$1,200", "3 apples")) == ""
    found = registry.check(scorer, items("42", "Paris", "5 or 6", ""))
    assert found == "2 of 4 items have an answer that is no number; 1 of 4 items has no answer."


def test_a_pattern_that_captures_nothing_needs_no_answer():
    assert registry.check(registry.create("regex", {"pattern": "yes"}), items("")) == ""
    assert registry.check(registry.create("regex", {"pattern": "(yes)"}), items("")) == "1 of 1 item has no answer."


async def test_a_person_is_never_replaced():
    scorer = registry.create("person")
    assert scorer.by_person and registry.check(scorer, items("", "")) == ""
    with pytest.raises(ScorerError):
        await scorer.score(items("a")[0], "a")


@pytest.mark.parametrize(
    ("some", "name"),
    [
        (items("", "", tests="assert f()"), "unit_tests"),
        (items("42", "$3", "1/2"), "numeric"),
        (items("Paris", "Rome"), "exact"),
        (items("7", "8", choices=("7", "8")), "exact"),
        (items("word " * 40, "word " * 50), "rouge_l"),
        (items("", ""), "person"),
        ([], "person"),
    ],
)
def test_the_scorer_that_suits_a_set_is_proposed(some, name):
    assert registry.fitting(some) == name


@pytest.mark.parametrize("one", shipped.SHIPPED, ids=shipped.NAMES)
def test_a_shipped_set_names_a_scorer_that_there_is(one):
    assert one.scorer in registry.SCORERS
