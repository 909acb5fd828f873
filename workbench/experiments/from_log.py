"""What a cell gets from its run's log: answer, cost, and the scores of the answer, its rounds and its samples."""

import logging
from collections.abc import Sequence
from typing import Any

from workbench.errors import StoreError, WorkbenchError
from workbench.events import AnyEvent, Resumed, RunView, idle_seconds
from workbench.experiments.model import Cell, Item, Round, Sample, Score
from workbench.experiments.scorers.base import Scorer

logger = logging.getLogger(__name__)
UNFINISHED = "unfinished"
STOPPED = "stopped"
NO_ANSWER = "no answer: "
AT_LIMIT = "at a limit: "
OWN_DOING = frozenset({"structured_output_invalid", "empty_answer", "context_overflow", "reply_too_long"})
KEPT = 20_000  # characters of an answer in its cell, half of them from its end; the run's log has it whole
LEFT_OUT = "\n…\n"


def outcome(cell: Cell, view: RunView, events: Sequence[AnyEvent]) -> Cell:
    """The cell with what its run came to, not scored yet.

    A limit is the lane's own doing: it is part of the request, and a lane that runs into one has answered with what it
    had, if with nothing, then wrongly. So is an answer that the machine could not use (`OWN_DOING`): leaving out what
    is hard for a lane would flatter it. Any other failed or stopped run is an error: it says nothing about the lane.
    """
    totals = view.totals
    values = {
        "status": "done",
        "score": None,
        "answer": _kept(view.finished.answer) if view.finished else "",
        "said": "",
        "error_code": "",
        "error": "",
        "prompt_tokens": totals.prompt_tokens,
        "completion_tokens": totals.completion_tokens,
        "calls": totals.calls,
        "seconds": round(max(totals.seconds - idle_seconds(events), 0.0), 4),
        "confidence": view.confidence,
        "feedback": view.feedback,
        "rounds": (),
        "samples": (),
    }
    return cell.model_copy(update=values | _error(view))


def _error(view: RunView) -> dict[str, str]:
    """Why a run is no answer; empty when it is one."""
    if view.status in ("answered", "limit"):
        return {}
    error = view.finished.error if view.finished else None
    if error is not None and error.code in OWN_DOING:
        return {}
    if error is not None:
        return failure(error.code, f"{error.message} {error.hint}")
    if view.status == "stopped":
        return failure(STOPPED, "Its run was stopped. Retry the errors to go on with it.")
    return failure(UNFINISHED, "Its run has not come to its end. Retry the errors to go on with it.")


def _kept(answer: str) -> str:
    """An answer as its cell has it: scorers read from the end, people from the beginning."""
    half = (KEPT - len(LEFT_OUT)) // 2
    return answer if len(answer) <= KEPT else f"{answer[:half]}{LEFT_OUT}{answer[-half:]}"


def is_own(events: Sequence[AnyEvent]) -> bool:
    """Whether a run went as it was asked to: nobody went on with it with other limits, or in its place."""
    return not any(isinstance(event, Resumed) and (event.limits or event.verb) for event in events)


def failure(code: str, message: str) -> dict[str, str]:
    """What an error changes in a cell."""
    return {"status": "error", "error_code": code, "error": message.strip()}


async def scored(cell: Cell, item: Item, scorer: Scorer, view: RunView | None) -> Cell:
    """The cell with its score, and its rounds' and samples' where the log is there and scoring costs nothing.

    A scorer that fails makes the cell an error whose run is kept: it can be scored again alone.
    """
    if cell.status != "done" or scorer.by_person:
        return cell
    marking, end = _Marking(item, scorer), view.finished if view is not None else None
    at_limit = end is not None and end.status in ("limit", "failed")
    answer = end.answer if end is not None else cell.answer
    if end is not None and at_limit and not answer.strip():
        reason = end.error.message if end.error is not None else end.reason
        return cell.model_copy(update={"score": 0.0, "said": NO_ANSWER + reason})
    try:
        found = await marking.score(answer)
        values: dict[str, Any] = {"score": found.value, "said": (AT_LIMIT if at_limit else "") + found.said}
        judging = found.judging
        values |= {"judging_tokens": judging.prompt_tokens + judging.completion_tokens, "judging_calls": judging.calls}
        if view is not None and not scorer.costs:
            values |= {"rounds": await marking.rounds(view), "samples": await marking.samples(view)}
    except StoreError:
        raise
    except WorkbenchError as error:
        return cell.model_copy(update=failure(error.code, f"{error.message} {error.hint}"))
    except Exception as error:
        logger.error("the answer of run %s could not be scored", cell.run_id, exc_info=error)
        said = f"The scorer {scorer.name} itself failed: {type(error).__name__}: {error}"
        return cell.model_copy(update=failure("internal", said))
    return cell.model_copy(update=values)


class _Marking:
    """The answers of one run, each scored once however often it stands in its log."""

    def __init__(self, item: Item, scorer: Scorer) -> None:
        self._item, self._scorer = item, scorer
        self._known: dict[str, Score] = {}

    async def score(self, answer: str) -> Score:
        """An answer's score. Raises what the scorer raises."""
        if answer not in self._known:
            self._known[answer] = await self._scorer.score(self._item, answer)
        return self._known[answer]

    async def rounds(self, view: RunView) -> tuple[Round, ...]:
        """What the machine would have answered after each round."""
        return tuple([Round(score=(await self.score(one.content)).value, tokens=one.tokens) for one in view.candidates])

    async def samples(self, view: RunView) -> tuple[Sample, ...]:
        """The answers that were put to the vote."""
        return tuple(
            [
                Sample(answer=one.answer, score=(await self.score(one.content)).value, tokens=one.tokens)
                for one in view.samples
            ]
        )
