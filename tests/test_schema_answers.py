"""Which answers fitted their schema, read from logs: valid or not, which attempt, what was wrong and where."""

from typing import Any

import pytest

from tests.logs import Log
from workbench.events import CallFailed, Delta, ErrorInfo, ModelAnswered, ModelCalled, Retried, RunFinished
from workbench.schema_answers import KINDS, SchemaAnswer, answers, place, story

SCHEMA = {"title": "Step", "type": "object", "properties": {"title": {"type": "string"}}}
TOLD = "Your answer was not valid. Answer again."


class Structured(Log):
    """A log in which a model is asked for JSON."""

    def call(self, call_id: str, seed: int = 7, step: int = 1, **more: Any) -> "Structured":
        parameters = {"model": "qwen", "seed": seed, "json_schema": SCHEMA} | more
        place = {"node": "think", "step": step, "role": "thinker"}
        self.add(ModelCalled, call_id=call_id, messages=(), parameters=parameters, **place)
        return self

    def say(self, call_id: str, text: str = '{"title": "A"}', **more: Any) -> "Structured":
        self.add(ModelAnswered, call_id=call_id, text=text, **more)
        return self

    def refuse(self, call_id: str, wrong: str, attempt: int = 2) -> "Structured":
        error = ErrorInfo(code="structured_output_invalid", message=wrong)
        self.add(Retried, call_id=call_id, error=error, attempt=attempt, told=TOLD)
        return self

    def broken(self, call_id: str, code: str, message: str = "It broke.") -> "Structured":
        self.add(CallFailed, call_id=call_id, error=ErrorInfo(code=code, message=message))
        return self

    def give_up(self, wrong: str) -> "Structured":
        message = f"The model's answer did not fit the schema after 3 retries: {wrong}"
        error = ErrorInfo(code="structured_output_invalid", message=message)
        self.add(RunFinished, status="failed", error=error)
        return self

    @property
    def rows(self) -> list[SchemaAnswer]:
        return answers(self.run_id, self.events)


def outcomes(log: Structured) -> list[tuple[str, int, bool, bool]]:
    return [(row.call_id, row.attempt, row.valid, row.given_up) for row in log.rows]


def test_an_answer_that_nobody_objected_to_is_valid():
    (row,) = Structured(request={"backend": "ollama@lab", "model": "qwen"}).call("c1").say("c1").finish("42").rows
    assert (row.backend, row.model, row.machine, row.role) == ("ollama@lab", "qwen", "stepwise", "thinker")
    assert (row.schema, row.attempt, row.valid, row.given_up, row.kind, row.wrong) == ("Step", 1, True, False, "", "")
    assert row.constrained and len(row.schema_digest) == 64 and row.seq == 2


def test_a_retry_says_what_was_wrong_and_the_next_answer_is_the_second_attempt():
    log = Structured().call("c1").say("c1", "Sure!").refuse("c1", "Invalid JSON: expected value at line 1 column 1")
    log.call("c2").say("c2").call("c3", step=2).say("c3")
    assert outcomes(log) == [("c1", 1, False, False), ("c2", 2, True, False), ("c3", 1, True, False)]
    assert log.rows[0].kind == "prose"
    found = story(log.events, "c1")
    assert found is not None
    assert (found.text, found.told, found.then, found.next_text) == ("Sure!", TOLD, "mended", '{"title": "A"}')


def test_the_last_attempt_of_a_run_that_failed_so_is_given_up():
    log = Structured()
    for number in range(1, 5):
        log.call(f"c{number}").say(f"c{number}", "{}")
        if number < 4:
            log.refuse(f"c{number}", "title: Field required", number + 1)
    log.give_up("title: Field required")
    assert outcomes(log) == [(f"c{number}", number, False, number == 4) for number in range(1, 5)]
    assert [row.wrong for row in log.rows] == ["title: Field required"] * 4
    first, last = story(log.events, "c1"), story(log.events, "c4")
    assert first is not None and last is not None
    assert (first.then, first.next_wrong, last.then) == ("not mended", "title: Field required", "given up")


def test_questions_that_are_asked_at_once_keep_their_own_attempts():
    log = Structured().call("c1", seed=1).call("c2", seed=2).say("c2", "x").refuse("c2", "Invalid JSON: x at line 1")
    log.call("c3", seed=2).say("c1", "y").refuse("c1", "Invalid JSON: y at line 1").call("c4", seed=1)
    log.say("c4").say("c3")
    attempts = {row.call_id: row.attempt for row in log.rows}
    assert attempts == {"c1": 1, "c2": 1, "c3": 2, "c4": 2}


def test_an_attempt_whose_connection_broke_is_none():
    log = Structured().call("c1").broken("c1", "stream_broken")
    log.add(Retried, call_id="c1", error=ErrorInfo(code="stream_broken", message="It broke."), attempt=2)
    log.call("c2").say("c2")
    assert outcomes(log) == [("c2", 1, True, False)]


@pytest.mark.parametrize(
    ("code", "kind"), [("empty_answer", "empty"), ("content_refused", "refused"), ("reply_too_long", "loop")]
)
def test_a_call_that_failed_by_the_models_doing_counts(code: str, kind: str):
    log = Structured().call("c1")
    log.add(Delta, call_id="c1", channel="text", text="And so ").add(Delta, call_id="c1", channel="text", text="on")
    log.broken("c1", code, "It went wrong.")
    (row,) = log.rows
    assert (row.valid, row.given_up, row.kind, row.wrong) == (False, True, kind, "It went wrong.")
    found = story(log.events, "c1")
    assert found is not None and found.text == "And so on"


def test_what_was_taken_over_from_a_parent_is_not_counted_again():
    parent = Structured().call("c1").say("c1", "x").refuse("c1", "Invalid JSON: x at line 1").call("c2").say("c2")
    fork = Structured("bbbb2222", parent_run="aaaa1111", relation="fork", inherited=len(parent.events) - 1)
    for event in parent.events[1:]:
        fork.events.append(event.model_copy(update={"run_id": "bbbb2222"}))
    fork.call("c3", step=2).say("c3")
    assert [row.call_id for row in fork.rows] == ["c3"]


def test_the_persons_own_answers_and_plain_texts_do_not_count():
    log = Structured()
    log.add(
        ModelCalled,
        call_id="c1",
        node="n",
        step=1,
        role="r",
        messages=(),
        parameters={"json_schema": {}},
        by_person=True,
    )
    log.say("c1")
    log.add(ModelCalled, call_id="c2", node="n", step=1, role="r", messages=(), parameters={"model": "qwen"})
    assert log.say("c2").rows == []


def test_a_run_that_was_stopped_before_it_asked_again_gave_nothing_up():
    log = Structured().call("c1").say("c1", "x").refuse("c1", "Invalid JSON: x at line 1")
    assert outcomes(log) == [("c1", 1, False, False)]
    found = story(log.events, "c1")
    assert found is not None and found.then == "stopped"
    assert story(log.events, "c9") is None


def test_a_schema_that_was_only_told_in_the_prompt_is_marked():
    assert not Structured().call("c1", constrained=False).say("c1").rows[0].constrained


@pytest.mark.parametrize(
    ("text", "end", "wrong", "kind"),
    [
        ('{"title": "A', {"finish_reason": "length"}, "it was cut after 300 tokens", "cut"),
        ("", {"finish_reason": "length", "thinking": "Hm."}, "it was cut after 300 tokens", "thought"),
        ("a a a a", {"finish_reason": "loop"}, "it repeated itself without an end", "loop"),
        ("", {}, "Invalid JSON: EOF while parsing a value at line 1 column 0", "empty"),
        ("I'm sorry, but I can't.", {}, "Invalid JSON: expected value at line 1 column 1", "refused"),
        ("Well, two.", {}, "Invalid JSON: expected value at line 1 column 1", "prose"),
        ('Here: {"title": "A"}', {}, "Invalid JSON: expected value at line 1 column 1", "around"),
        ('{"title": "A" "b"}', {}, "Invalid JSON: expected `,` or `}` at line 1 column 15", "broken"),
        ('{"x": 1}', {}, "title: Field required; x: Extra inputs are not permitted", "missing"),
        ('{"title": 1}', {}, "title: Input should be a valid string; content: Field required", "type"),
        ("[1]", {}, "Input should be an object", "type"),
        ('{"title": "z"}', {}, "title: Input should be 'a' or 'b'", "value"),
        ('{"title": 9}', {}, "title: Input should be less than or equal to 5", "value"),
        ('{"title": ""}', {}, "title: String should have at least 1 character", "value"),
        ('{"x": 1}', {}, "x: Extra inputs are not permitted", "extra"),
        ('{"x": 1}', {}, "x: a rule of its own", "other"),
    ],
)
def test_what_goes_wrong_is_told_apart(text: str, end: dict[str, Any], wrong: str, kind: str):
    (row,) = Structured().call("c1").say("c1", text, **end).refuse("c1", wrong).rows
    assert (row.kind, row.wrong) == (kind, wrong)
    assert KINDS[kind].title and KINDS[kind].hint


def marked(text: str, wrong: str) -> str | None:
    found = place(text, wrong)
    return None if found is None else text[found[0] : found[1]]


@pytest.mark.parametrize(
    ("text", "wrong", "there"),
    [
        ('{"a": "éé" "n": 1}', "Invalid JSON: expected `,` or `}` at line 1 column 14", '"'),
        ('```json\n{"a": "éé" "n": 1}\n```', "Invalid JSON: expected `,` or `}` at line 1 column 14", '"'),
        ('{\n  "a": 1,\n  b: 2}', "Invalid JSON: key must be a string at line 3 column 3", "b"),
        ("hello", "Invalid JSON: expected value at line 1 column 1", "h"),
        ('{"a": "x', "Invalid JSON: EOF while parsing a string at line 1 column 8", "x"),
        ('{"a": "x', "it was cut after 300 tokens", ""),
        ('{"a": {"b": [1, "two"]}, "c": 3}', "a.b.1: Input should be a valid integer", '"two"'),
        ('{"action": "go", "n": [1]}', "action: Input should be 'stay'", '"go"'),
        ('{"n": 1}', "title: Field required", None),
        ('{"n": 1}', "title: Input should be a valid string", None),
        ("", "it was cut after 300 tokens", None),
        ("x", "Invalid JSON: EOF while parsing at line 7 column 1", None),
    ],
)
def test_the_place_of_the_error_is_found_where_it_can_be(text: str, wrong: str, there: str | None):
    assert marked(text, wrong) == there


def test_the_second_of_two_equal_signs_is_the_one_that_is_marked():
    assert place('{"a": "éé" "n": 1}', "Invalid JSON: expected `,` or `}` at line 1 column 14") == (11, 12)
