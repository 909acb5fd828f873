"""A run's stream of memories: what it sees of it, what it stores, and what it retrieves, all of it on its log."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agents.contract import Answer, Choose, Memory, Retrieved, Vectors
from workbench.errors import RunNotFound
from workbench.events import Card
from workbench.journal import Journal, Place
from workbench.log import RunLog
from workbench.store.memories import LEAST, LONGEST, MOST, Kept, MemoryStore, New, checked_name
from workbench.store.runs import RunStore

STORED, RETRIEVED = "remembered", "recalled"  # what cards tell of memories
TO_ITSELF = ("experiment:", "comparison:")  # runs that are made for these see no memories but their own
SAME_MEMORIES = ("fork", "reproduce")  # runs that see what the run sees that they come from
MINUTE = 60
AT_ONCE = 64  # texts that are embedded in one request
BY_WORDS = "words"
ALONE = "this run's alone"
Tell = Callable[..., None]
Model = Callable[[], Awaitable[str]]  # which embeds, with its backend's name; empty where there is none
Embed = Callable[[Sequence[str]], Awaitable[Vectors | None]]


class Shared(NamedTuple):
    """A named stream in the store, and until when (seconds since 1970) what others store in it counts for a run."""

    store: MemoryStore
    name: str
    until: float


def shared(store: MemoryStore, runs: RunStore, run_id: str, name: str) -> Shared | None:
    """The stream that a run shares with others; None for one that has its memories to itself.

    Raises InvalidRequest for a name that cannot be, StoreError.
    """
    if not name.strip() or not run_id:
        return None
    row = runs.run(run_id)
    while row.relation in SAME_MEMORIES and row.parent:
        try:
            row = runs.run(row.parent)
        except RunNotFound:
            break
    if row.belongs.startswith(TO_ITSELF):
        return None
    began = datetime.fromisoformat(row.created_at).timestamp() + 0.001  # it is kept in whole milliseconds
    return Shared(store, checked_name(name), began)


class Stream:
    """The stream as one run sees it: as it was when the run began, and what the run has stored since.

    What it stored stands on its cards. A run without a shared stream has nothing else.
    """

    def __init__(
        self, log: RunLog, journal: Journal, model: Model, embed: Embed, tell: Tell, common: Shared | None = None
    ) -> None:
        self._log, self._journal, self._tell = log, journal, tell
        self._model, self._embed = model, embed
        self._common = common
        self._clock = common.store.clock if common else time.time
        self._vectors: dict[str, Sequence[float]] = {}  # of a run that has its memories to itself

    async def memories(self, place: Place) -> list[Memory]:
        """What the node at a place sees: not what it has stored itself, or it would see more when it runs again."""
        return [self._as_seen(one) for one in await self._kept(place)]

    async def remember(
        self, place: Place, title: str, memories: Sequence[Memory], answer: Answer | None
    ) -> list[Memory]:
        """Store memories and tell it; what this place has told before is taken from the log."""
        new = [New(_cut(one.text), _bounded(one.importance), one.kind, one.sources) for one in memories]
        asked = {"noted": [one.text for one in new]}
        if known := self._journal.card(place, STORED, asked):
            return [self._as_seen(one) for one in _told(known)]
        kept = list({one.id: one for one in await self._store(place, new)}.values())
        content = "\n".join(self._line(one) for one in kept) or "Nothing new."
        told = {STORED: [_row(one) for one in kept], "stream": self._common.name if self._common else ALONE}
        self._tell(title, content, answer=answer, **told, **asked)
        return [self._as_seen(one) for one in kept]

    async def recall(self, place: Place, title: str, about: str, choose: Choose) -> list[Retrieved]:
        """What is chosen of the memories; told, and kept as retrieved now."""
        if known := self._journal.card(place, RETRIEVED, {"recalled_for": about}):
            return [Retrieved.model_validate(one) for one in known.data[RETRIEVED]]
        kept, now = await self._kept(place), self._clock()
        vectors, by = await self._compared(about, kept)
        found = list(choose([self._as_seen(one) for one in kept], vectors))
        told = {RETRIEVED: [one.model_dump(mode="json") for one in found], "recalled_for": about, "compared_by": by}
        self._tell(title, _listed(found), recalled_of=len(kept), recalled_at=now, **told)
        if self._common is not None:
            await asyncio.to_thread(self._common.store.touch, [one.memory.id for one in found], now)
        return found

    async def _kept(self, place: Place) -> list[Kept]:
        own = {one.id: one for card in self._cards(STORED) if (card.node, card.step) != place for one in _told(card)}
        if self._common is None:
            return self._retrieved_since(own)
        found = await asyncio.to_thread(self._common.store.of, self._common.name)
        return [one for one in found if one.stored_at <= self._common.until or one.id in own]

    async def _store(self, place: Place, new: Sequence[New]) -> list[Kept]:
        """In the stream, or for a run that shares none as they are: then its cards are what keeps them."""
        origin = f"{self._log.run_id}:{place[0]}:{place[1]}"
        before = sum((card.node, card.step) == place for card in self._cards(STORED))
        if self._common is not None:
            add = self._common.store.add
            return await asyncio.to_thread(add, self._common.name, new, self._log.run_id, f"{origin}:{before}")
        known = {_same(one.text): one for card in self._cards(STORED) for one in _told(card)}
        now, found = self._clock(), []
        for number, one in enumerate(new):
            plain = (one.kind, one.text, one.importance, one.sources)
            made = Kept(f"{origin}:{before}:{number}", "", *plain, run="", stored_at=now, retrieved_at=now)
            found.append(known.setdefault(_same(one.text), made))
        return found

    def _retrieved_since(self, own: Mapping[str, Kept]) -> list[Kept]:
        """A run's own memories, with the moment at which it last retrieved each."""
        latest: dict[str, float] = {}
        for card in self._cards(RETRIEVED):
            for one in card.data[RETRIEVED]:
                latest[one["memory"]["id"]] = card.data["recalled_at"]
        return [
            Kept(**(vars(one) | {"retrieved_at": latest.get(one.id, one.retrieved_at), "run": self._log.run_id}))
            for one in own.values()
        ]

    async def _compared(self, about: str, kept: Sequence[Kept]) -> tuple[Vectors | None, str]:
        """The vectors of what is asked for and of the memories, and what made them; those of other models anew."""
        model = await self._model() if kept else ""
        asked = await self._embed([about]) if model else None
        if not asked:
            return None, BY_WORDS
        stored = {one.id: one.vector for one in kept if one.vector and one.model == model} | self._vectors
        known = {id_: vector for id_, vector in stored.items() if len(vector) == len(asked[0])}
        lacking = [one for one in kept if one.id not in known]
        for some in (lacking[at : at + AT_ONCE] for at in range(0, len(lacking), AT_ONCE)):
            made = await self._embed([one.text for one in some])
            if not made or any(len(vector) != len(asked[0]) for vector in made):
                return None, BY_WORDS
            await self._keep(model, list(zip(some, made, strict=True)))
            known |= {one.id: vector for one, vector in zip(some, made, strict=True)}
        return [asked[0], *(list(known[one.id]) for one in kept)], f"embeddings of {model}"

    async def _keep(self, model: str, made: Sequence[tuple[Kept, Sequence[float]]]) -> None:
        if self._common is None:
            self._vectors.update((one.id, vector) for one, vector in made)
        else:
            await asyncio.to_thread(self._common.store.embedded, model, made)

    def _cards(self, telling: str) -> Iterator[Card]:
        return (event for event in self._log.events if isinstance(event, Card) and telling in event.data)

    def _line(self, one: Kept) -> str:
        """A memory on the card of who stored it; one that was there before is said to be."""
        known = " *(known already)*" if self._common is not None and one.run != self._log.run_id else ""
        return f"- **{one.importance:g}** · {one.text}{known}"

    def _as_seen(self, one: Kept) -> Memory:
        """Hours are counted in whole minutes: what was stored in one breath is equally old."""
        minutes = max(0.0, self._clock() - one.retrieved_at) // MINUTE
        told = {"text": one.text, "importance": one.importance, "kind": one.kind, "sources": one.sources}
        return Memory.model_validate({**told, "id": one.id, "hours": minutes / 60})


def _row(one: Kept) -> dict[str, Any]:
    """A memory as a card tells it."""
    named = {name: getattr(one, name) for name in ("id", "kind", "text", "importance", "stored_at", "retrieved_at")}
    return named | {"sources": list(one.sources)}


def _told(card: Card) -> Iterable[Kept]:
    return [Kept(**one | {"sources": tuple(one["sources"]), "stream": "", "run": ""}) for one in card.data[STORED]]


def _listed(found: Iterable[Retrieved]) -> str:
    """The memories that were retrieved, each with its figures."""
    rows = [
        f"- **{one.total:.2f}** · {one.memory.text} *(recency {one.recency:.2f}, importance {one.importance:.2f},"
        f" relevance {one.relevance:.2f})*"
        for one in found
    ]
    return "\n".join(rows) or "There are no memories yet."


def _same(text: str) -> str:
    return " ".join(text.casefold().split())


def _cut(text: str) -> str:
    """A text as long as a memory may be."""
    text = text.strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _bounded(importance: float) -> float:
    return min(max(importance, LEAST), MOST)
