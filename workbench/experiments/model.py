"""What experiments are made of: an item of a data set, a score, and a cell: one lane's answer to one item."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.events import Feedback, Totals

CellStatus = Literal["waiting", "running", "done", "error"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Item(_Frozen):
    """One question of a data set.

    `answer` is the gold answer and `aliases` are others that count as right; `choices` are offered with the question,
    `context` stands before it. `tests` is a Python program of assertions that is run after the answer's code,
    `entry_point` the function that they call.
    """

    id: str
    question: str
    answer: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    tests: str = ""
    entry_point: str = ""
    context: str = ""
    tags: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        """The question as a machine is asked: context, question, lettered choices."""
        letters = [f"{chr(ord('A') + number)}. {choice}" for number, choice in enumerate(self.choices)]
        return "\n\n".join(filter(None, [self.context, self.question, "\n".join(letters)]))


class Score(_Frozen):
    """How good an answer is: from 0 to 1, why, and what was read out of the answer as the answer proper.

    `judging` is what asking a model for the score has cost, apart from what the answer itself has.
    """

    value: float = Field(ge=0, le=1)
    said: str = ""
    read: str = ""
    judging: Totals = Totals()


class Round(_Frozen):
    """The answer that a machine would have given after a round: its score, and the tokens spent up to there.

    Tokens are prompt and completion together, from the run's beginning: the last round's are at most the cell's own.
    """

    score: float
    tokens: int


class Sample(_Frozen):
    """One of the answers that a machine draws and puts to the vote, in the order in which they were drawn.

    `answer` is the text that votes, normalised: samples with the same text vote for the same; empty when none could
    be read out, which casts no vote. `score` is what this answer would score alone; `tokens` are its own prompt and
    completion tokens together.
    """

    answer: str
    score: float
    tokens: int


class Cell(_Frozen):
    """One lane's answer to one item with one seed; `lane`, `item` count from 0.

    `score` is None until there is one; an `error` is no wrong answer. `rounds` are those of a machine that revises:
    the first is its first answer. Tokens and seconds are the run's own; `confidence` is the mean token probability
    of its answer (0 to 1), None where the backend does not tell. `samples` are those of a machine that votes.
    `judging_tokens` (prompt and completion) and `judging_calls` are what asking a model for the scores has cost.
    """

    lane: int
    item: int
    seed: int
    key: str = ""
    run_id: str = ""
    status: CellStatus = "waiting"
    score: float | None = None
    answer: str = ""
    said: str = ""
    error_code: str = ""
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    seconds: float = 0.0
    judging_tokens: int = 0
    judging_calls: int = 0
    confidence: float | None = None
    feedback: Feedback = "none"
    rounds: tuple[Round, ...] = ()
    samples: tuple[Sample, ...] = ()
