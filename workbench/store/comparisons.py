"""Comparisons: one question through two to four lanes, the runs that answered it, and which the person found best."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, combinations
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from workbench.errors import InvalidRequest, StoreError
from workbench.request import RunRequest
from workbench.store.database import Database
from workbench.store.tables import comparisons as table

FEWEST_LANES, MOST_LANES = 2, 4
TIE = -1
LONGEST_NOTE = 2_000
DECIDING = ("machine", "backend", "model", "options")  # of a request, besides its settings and its prompts
DECIDING_SETTINGS = ("temperature", "top_p", "max_tokens", "context_window", "think")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Lane(_Frozen):
    """One way to answer, as it was asked, and its run.

    `asked` is the run's request without the question, `prompts` the digest of each role's prompt. `key` is the same for
    lanes that differ in nothing but the seed. `answered` says whether it had an answer when the person voted.
    """

    run: str
    title: str
    asked: dict[str, Any]
    prompts: dict[str, str]
    key: str
    answered: bool = False

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.asked.get("model", ""))

    @classmethod
    def of(cls, run: str, title: str, request: RunRequest, prompts: Mapping[str, str]) -> "Lane":
        """The lane of a run; `request` has its defaults filled in, `title` is its machine's."""
        asked = request.model_dump(mode="json", exclude={"question", "history"})
        return cls(run=run, title=title, asked=asked, prompts=dict(prompts), key=lane_key(asked, prompts))


class Comparison(_Frozen):
    """A question and its lanes, in the order in which they are shown.

    `vote` is the number of the lane that the person found best, TIE, or None before the vote. A `blind` one hides its
    lanes until then.
    """

    id: str
    created_at: str
    question: str
    lanes: tuple[Lane, ...]
    blind: bool = False
    vote: int | None = None
    note: str = ""
    voted_at: str = ""

    @property
    def hidden(self) -> bool:
        """Whether what the lanes are may not be shown yet."""
        return self.blind and self.vote is None

    @property
    def answered(self) -> tuple[int, ...]:
        """The numbers of the lanes that had an answer at the vote; none before it."""
        return tuple(at for at, lane in enumerate(self.lanes) if lane.answered) if self.vote is not None else ()


class Tally(_Frozen):
    """The votes between two lane configurations, seen from the first one."""

    wins: int = 0
    losses: int = 0
    ties: int = 0

    @property
    def decided(self) -> int:
        """The votes that were for one of the two."""
        return self.wins + self.losses


class ComparisonStore:
    """The comparisons in the database that the runs are in too; safe for many threads and several processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, id_: str, question: str, lanes: Sequence[Lane], blind: bool = False) -> Comparison:
        """Keep a comparison whose runs have begun; `new_id` makes its id."""
        made = Comparison(id=id_, created_at=_now(), question=question, lanes=tuple(lanes), blind=blind)
        row = {**made.model_dump(include={"id", "created_at", "question", "vote", "note", "voted_at"})}
        with self._database.write() as connection:
            connection.execute(insert(table).values(row | {"lanes": _written(made.lanes, blind)}))
        return made

    def get(self, id_: str) -> Comparison:
        """The comparison of that id. Raises InvalidRequest when there is none."""
        with self._database.read() as connection:
            return _found(connection, id_)

    def recent(self, limit: int = 20, offset: int = 0) -> list[Comparison]:
        """Comparisons, newest first."""
        wanted = select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit).offset(offset)
        with self._database.read() as connection:
            return [_read(row) for row in connection.execute(wanted)]

    def count(self) -> int:
        """How many there are."""
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0

    def vote(self, id_: str, choice: int, answered: Collection[int], note: str = "") -> Comparison:
        """Keep the person's vote in place of an earlier one; `answered` are the lanes that have an answer.

        Lanes that had one at the earlier vote still count as answered, whatever became of their runs. Raises
        InvalidRequest for a lane without an answer, and where there are no two to choose between.
        """
        with self._database.write() as connection:
            kept = _found(connection, id_)
            known = {*answered, *kept.answered}
            if len(known) < FEWEST_LANES:
                raise InvalidRequest("There are no two answers to choose between.", "Resume a lane that has none.")
            if choice != TIE and choice not in known:
                raise InvalidRequest("That lane has no answer to vote for.", "Vote for one that has, or for a tie.")
            lanes = [lane.model_copy(update={"answered": at in known}) for at, lane in enumerate(kept.lanes)]
            values = {"vote": choice, "note": _note(note), "voted_at": _now()}
            connection.execute(_changing(id_).values(values | {"lanes": _written(lanes, kept.blind)}))
        return self.get(id_)

    def annotate(self, id_: str, note: str) -> Comparison:
        """Keep why the person finds what they find; the vote stays as it is. Raises InvalidRequest."""
        with self._database.write() as connection:
            _found(connection, id_)
            connection.execute(_changing(id_).values(note=_note(note)))
        return self.get(id_)

    def withdraw(self, id_: str) -> Comparison:
        """Take the vote back; what the lanes are has been seen, so they stay shown. Raises InvalidRequest."""
        return self._shown(id_, {"vote": None, "voted_at": ""})

    def unhide(self, id_: str) -> Comparison:
        """Show what the lanes of a blind comparison are without a vote. Raises InvalidRequest."""
        return self._shown(id_, {})

    def delete(self, id_: str) -> None:
        """Delete a comparison and its vote; its runs stay. Raises InvalidRequest when there is none."""
        with self._database.write() as connection:
            if not connection.execute(delete(table).where(table.c.id == _plain(id_))).rowcount:
                raise _missing(id_)

    def tallies(self, keys: Iterable[str]) -> dict[tuple[str, str], Tally]:
        """All votes between each two of these lane configurations, in the order in which they are given.

        A vote for one of several lanes is a vote for it against each of the others that had an answer; between those
        it says nothing. Lanes that are the same in one comparison have one vote together.
        """
        pairs = list(combinations(dict.fromkeys(keys), 2))
        if not pairs:
            return {}
        held = or_(*(table.c.lanes.contains(f'"key":"{key}"', autoescape=True) for key in {*chain(*pairs)}))
        with self._database.read() as connection:
            voted = [_read(row) for row in connection.execute(select(table).where(table.c.vote.is_not(None), held))]
        return {pair: _tally(*pair, voted) for pair in pairs}

    def _shown(self, id_: str, values: dict[str, Any]) -> Comparison:
        with self._database.write() as connection:
            kept = _found(connection, id_)
            connection.execute(_changing(id_).values(values | {"lanes": _written(kept.lanes, blind=False)}))
        return self.get(id_)


def new_id() -> str:
    """An id for a comparison."""
    return uuid4().hex[:12]


def lane_key(asked: Mapping[str, Any], prompts: Mapping[str, str]) -> str:
    """A digest of all that tells lanes apart but the seed: sixteen hex digits."""
    settings = asked.get("settings") or {}
    deciding = {name: asked.get(name) for name in DECIDING} | {name: settings.get(name) for name in DECIDING_SETTINGS}
    text = json.dumps({**deciding, "prompts": dict(prompts)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tally(one: str, other: str, voted: Iterable[Comparison]) -> Tally:
    counted = [_winner(comparison, one, other) for comparison in voted]
    return Tally(wins=counted.count(one), losses=counted.count(other), ties=counted.count("tie"))


def _winner(comparison: Comparison, one: str, other: str) -> str:
    """Which of two keys a vote was for, `tie`, or nothing where it tells nothing of the two."""
    if not {one, other} <= {lane.key for lane in comparison.lanes if lane.answered}:
        return ""
    if comparison.vote in (None, TIE):
        return "tie" if comparison.vote == TIE else ""
    best = comparison.lanes[comparison.vote].key if 0 <= comparison.vote < len(comparison.lanes) else ""
    return best if best in (one, other) else ""


def _written(lanes: Iterable[Lane], blind: bool) -> str:
    """The lanes as JSON without spaces: `tallies` looks for their keys in it."""
    data = {"blind": blind, "lanes": [lane.model_dump(mode="json") for lane in lanes]}
    return json.dumps(data, separators=(",", ":"))


def _read(row: Row[Any]) -> Comparison:
    try:
        return Comparison.model_validate({**row._mapping, **json.loads(row.lanes)})
    except (ValueError, TypeError, ValidationError) as error:
        said = str(error).splitlines()[0]
        raise StoreError(f"The comparison {row.id} cannot be read: {said}", "Delete it; its runs stay.") from error


def _found(connection: Connection, id_: str) -> Comparison:
    row = connection.execute(select(table).where(table.c.id == _plain(id_))).first()
    if row is None:
        raise _missing(id_)
    return _read(row)


def _missing(id_: str) -> InvalidRequest:
    return InvalidRequest(f"There is no comparison {id_}.", "It may have been deleted. Open another one.")


def _changing(id_: str) -> Any:
    return update(table).where(table.c.id == _plain(id_))


def _note(text: str) -> str:
    return _plain(text).strip()[:LONGEST_NOTE]


def _plain(text: str) -> str:
    """The text without what a database cannot hold."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
