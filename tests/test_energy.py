"""The energy of calls: read from a tree like that of Linux, from a command like NVIDIA's, shared side by side."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import energy
from workbench.energy import Meter, Nvidia, Rapl, find, is_here

Domain = Callable[..., Path]


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    """Make a domain of the powercap tree, or set its counter: `domain("0", "package-0", 1_000_000)`."""

    def write(number: str, name: str, count: int, end: int = 262_143_328_850) -> Path:
        folder = tmp_path / "powercap" / f"intel-rapl:{number}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "energy_uj").write_text(f"{count}\n")
        (folder / "max_energy_range_uj").write_text(f"{end}\n")
        return folder

    return write


class Fuel:
    """A reader of which a test says what has been used."""

    part = "the tank"

    def __init__(self, is_ready: bool = True) -> None:
        self.is_ready = is_ready
        self.burnt: float | None = 0.0
        self.taken = 0.0

    def sample(self) -> None:
        pass

    def take(self) -> float | None:
        burnt, self.burnt = self.burnt, 0.0 if self.burnt is not None else None
        self.taken += burnt or 0.0
        return burnt


def test_packages_and_their_memory_are_added_up_and_their_parts_are_not(domain: Domain, tmp_path: Path):
    before = [("0", "package-0"), ("0:0", "core"), ("0:2", "dram"), ("1", "package-1"), ("2", "psys")]
    for number, name in before:
        domain(number, name, 5_000_000)
    (reader,) = find(tmp_path / "powercap", nvidia="").readers
    for number, name in before:
        domain(number, name, 7_500_000)
    assert reader.take() == pytest.approx(3 * 2.5)
    assert reader.take() == 0


def test_a_counter_that_wrapped_around_goes_on(domain: Domain):
    reader = Rapl([domain("0", "package-0", 9_000_000, end=10_000_000)])
    domain("0", "package-0", 500_000, end=10_000_000)
    assert reader.take() == pytest.approx(1.5)


def test_a_counter_that_cannot_be_read_any_more_tells_nothing(domain: Domain):
    folder = domain("0", "package-0", 1)
    reader = Rapl([folder])
    (folder / "energy_uj").unlink()
    assert reader.take() is None


def test_what_a_number_means_is_said(domain: Domain, tmp_path: Path):
    domain("0", "package-0", 1)
    found = find(tmp_path / "powercap", nvidia="")
    assert "the processor and its memory (RAPL)" in found.says
    assert "other programs and idle power included" in found.says and "share it equally" in found.says


def test_a_system_without_a_counter_says_so(tmp_path: Path):
    found = find(tmp_path / "nothing", nvidia="")
    assert (found.readers, found.says, found.hint) == ((), "This system does not report its energy.", "")


def test_a_counter_for_root_alone_says_how_it_can_be_read(
    domain: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    domain("0", "package-0", 1)
    read = Path.read_text

    def refuse(path: Path, *args: str, **kwargs: str) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    found = find(tmp_path / "powercap", nvidia="")
    assert found.readers == () and found.says == "Only root may read this computer's energy counter."
    assert "sudo chmod a+r" in found.hint


@pytest.fixture
def cards(tmp_path: Path) -> Callable[[str], str]:
    """A command that answers as nvidia-smi does."""

    def write(answer: str, code: int = 0) -> str:
        command = tmp_path / "nvidia-smi"
        command.write_text(f"#!/bin/sh\nprintf '{answer}'\nexit {code}\n")
        command.chmod(0o755)
        return str(command)

    return write


def test_the_power_of_all_cards_is_added_up_over_time(cards: Callable[..., str], monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr(energy.time, "monotonic", lambda: now)
    reader = Nvidia(cards("30.50\\n69.50\\n"))
    reader.sample()
    assert reader.take() == 0
    now += 2
    assert reader.take() == pytest.approx(200)
    now += energy.STALE_SECONDS
    assert reader.take() is None


@pytest.mark.parametrize(("answer", "code"), [("[N/A]\\n", 0), ("NVIDIA-SMI has failed\\n", 9), ("", 0)])
def test_a_card_that_does_not_tell_its_power_is_unknown(cards: Callable[..., str], answer: str, code: int):
    reader = Nvidia(cards(answer, code))
    reader.sample()
    assert reader.take() is None


async def test_calls_side_by_side_share_what_was_used():
    fuel = Fuel()
    meter = Meter((fuel,), every=60)
    fuel.burnt = 50.0  # before any call: nobody's
    with meter.measured() as first:
        fuel.burnt = 10.0
        with meter.measured() as second:
            fuel.burnt = 6.0
        fuel.burnt = 1.0
    assert (first.joules, second.joules) == (14.0, 3.0)
    fuel.burnt = 8.0
    with meter.measured() as third:
        fuel.burnt = 2.0
    assert third.joules == 2.0
    assert fuel.taken == 50 + 17 + 8 + 2


async def test_what_a_reader_cannot_tell_is_unknown_and_not_zero():
    fuel = Fuel()
    meter = Meter((fuel,), every=60)
    with meter.measured() as first:
        fuel.burnt = None
    assert first.joules is None
    fuel.burnt = 0.0
    with meter.measured() as second:
        fuel.burnt = 3.0
    assert second.joules == 3.0


async def test_a_long_call_is_looked_after_while_it_lasts():
    fuel = Fuel()
    meter = Meter((fuel,), every=0.01)
    with meter.measured() as used:
        fuel.burnt = 4.0
        while not used.joules:
            await asyncio.sleep(0.01)
        fuel.burnt = 1.0
    assert used.joules == 5.0
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1  # nothing looks when nothing is measured


async def test_calls_side_by_side_wait_for_the_first_look_and_then_share_all_of_it():
    card = Fuel(is_ready=False)
    meter = Meter((card,), every=60)
    with meter.measured() as first:
        with meter.measured() as second:
            with meter.measured() as short:
                card.burnt = 3.0  # nobody has looked yet
            card.burnt, card.is_ready = 10.0, True
        card.burnt = 4.0
    assert (first.joules, second.joules, short.joules) == (9.0, 5.0, None)


async def test_a_card_that_is_slow_to_answer_loses_nothing_of_calls_that_begin_before(tmp_path: Path):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\nsleep 0.2\necho 100.0\n")
    command.chmod(0o755)
    meter = Meter((Nvidia(str(command)),), every=0.1)

    async def call(wait: float) -> float | None:
        await asyncio.sleep(wait)
        with meter.measured() as used:
            await asyncio.sleep(0.8)
        return used.joules

    began = time.monotonic()
    told = await asyncio.gather(*(call(0.02 * number) for number in range(4)))
    assert sum(joules or 0 for joules in told) == pytest.approx(100 * (time.monotonic() - began), rel=0.2)
    assert None not in told


async def test_without_a_reader_nothing_is_measured():
    with energy.NOTHING.measured() as used:
        assert used.joules is None


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:11434", True),
        ("localhost:8080", True),
        ("http://[::1]:1234/v1", True),
        ("0.0.0.0", True),
        (":11434", True),
        ("http://192.168.1.20:11434", False),
        ("https://api.openai.com/v1", False),
        ("http://127.0.0.1.example.org", False),
        ("http://[bad", False),
        ("", False),
    ],
)
def test_only_this_computer_s_own_addresses_are_here(address: str, here: bool):
    assert is_here(address) is here
