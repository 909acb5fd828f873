"""The queue in front of a backend's slots: sessions take turns, and everyone is told the true place."""

import asyncio
from itertools import pairwise

from workbench.slots import Slots


async def hold(slots, places, release, session=""):
    async with slots.take(places.append, session):
        await release.wait()


class Queue:
    """Calls of named sessions on one backend: who got a slot, in order, and the places that each was told."""

    def __init__(self, size=1):
        self.slots = Slots(size)
        self.served: list[str] = []
        self.places: dict[str, list[int]] = {}
        self.tasks: dict[str, asyncio.Task] = {}
        self.open = asyncio.Event()

    async def call(self, name):
        session = name.partition(" ")[0]
        async with self.slots.take(self.places.setdefault(name, []).append, session):
            self.served.append(name)
            await self.open.wait()

    async def join(self, *names):
        for name in names:
            self.tasks[name] = asyncio.create_task(self.call(name))
            await asyncio.sleep(0)

    async def serve_all(self):
        self.open.set()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_places_are_told_and_move_up():
    slots, release = Slots(1), [asyncio.Event() for _ in range(3)]
    places: list[list[int]] = [[], [], []]
    tasks = [asyncio.create_task(hold(slots, places[n], release[n])) for n in range(3)]
    await asyncio.sleep(0)
    assert places == [[], [1], [2]]
    release[0].set()
    await tasks[0]
    await asyncio.sleep(0)
    assert places == [[], [1, 0], [2, 1]]
    for event in release:
        event.set()
    await asyncio.gather(*tasks)
    assert places[2] == [2, 1, 0]


async def test_one_who_gives_up_lets_the_others_move_up():
    slots, release = Slots(1), asyncio.Event()
    places: list[list[int]] = [[], [], []]
    tasks = [asyncio.create_task(hold(slots, places[n], release)) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    assert places[2] == [2, 1]
    release.set()
    await asyncio.gather(tasks[0], tasks[2])


async def test_a_slot_handed_to_one_who_was_just_cancelled_is_passed_on():
    slots, release = Slots(1), asyncio.Event()
    places: list[list[int]] = [[], [], []]
    tasks = [asyncio.create_task(hold(slots, places[n], release)) for n in range(3)]
    await asyncio.sleep(0)
    release.set()
    await tasks[0]
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    await asyncio.wait_for(tasks[2], 1)


async def test_without_a_size_nobody_waits():
    slots, release = Slots(None), asyncio.Event()
    places: list[int] = []
    tasks = [asyncio.create_task(hold(slots, places, release)) for _ in range(50)]
    await asyncio.sleep(0)
    assert places == []
    release.set()
    await asyncio.gather(*tasks)


async def test_a_session_with_fifty_calls_delays_each_of_nineteen_others_by_one():
    queue = Queue()
    greedy = [f"greedy {number}" for number in range(50)]
    await queue.join(*greedy, *(f"s{number} call" for number in range(19)))
    assert queue.places["greedy 1"] == [1]
    assert [queue.places[f"s{number} call"][0] for number in range(19)] == list(range(2, 21))
    assert queue.places["greedy 2"] == [2, *range(3, 22)], "each newcomer goes before the greedy one's second call"
    await queue.serve_all()
    assert queue.served == ["greedy 0", "greedy 1", *(f"s{number} call" for number in range(19)), *greedy[2:]]


async def test_sessions_take_turns_call_by_call():
    queue = Queue()
    await queue.join("a 0", "a 1", "a 2", "a 3", "b 1", "b 2", "c 1")
    await queue.serve_all()
    assert queue.served == ["a 0", "a 1", "b 1", "c 1", "a 2", "b 2", "a 3"]


async def test_a_session_that_comes_back_waits_for_the_others_first():
    queue = Queue()
    await queue.join("a 0", "b 1", "c 1")
    queue.slots._leave()  # a's call ends, b's has the slot
    await asyncio.sleep(0)
    await queue.join("a 1")
    assert queue.places["a 1"] == [2]


async def test_each_is_served_in_the_place_that_was_told_last():
    queue = Queue(size=2)
    await queue.join(*(f"{session} {number}" for session in "abc" for number in range(5)))
    told = {name: places[-1] for name, places in queue.places.items() if places}
    await queue.serve_all()
    waited = [name for name in queue.served if name in told]
    assert [told[name] for name in waited] == list(range(1, len(waited) + 1))
    assert all(places == [] or places[-1] == 0 for places in queue.places.values())


async def test_nobody_is_told_the_same_place_twice_in_a_row():
    queue = Queue()
    await queue.join(*(f"a {number}" for number in range(6)), "b 1", "b 2")
    queue.tasks["a 4"].cancel()
    await asyncio.wait([queue.tasks["a 4"]])
    await queue.serve_all()
    for places in queue.places.values():
        assert all(place != after for place, after in pairwise(places))


async def test_a_session_that_gives_up_altogether_leaves_nothing_behind():
    queue = Queue()
    await queue.join("a 0", "b 1", "b 2", "c 1")
    for name in ("b 1", "b 2"):
        queue.tasks[name].cancel()
    await asyncio.wait([queue.tasks["b 1"], queue.tasks["b 2"]])
    assert queue.places["c 1"][-1] == 1
    await queue.serve_all()
    assert queue.served == ["a 0", "c 1"] and not queue.slots._sessions
