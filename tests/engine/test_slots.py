"""The queue in front of a backend's slots: first come first served, with everyone's place told."""

import asyncio

from workbench.slots import Slots


async def hold(slots, places, release):
    async with slots.take(places.append):
        await release.wait()


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
