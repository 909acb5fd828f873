"""The energy that this computer uses while models work, where it reports any; calls beside each other share it."""

import asyncio
import ipaddress
import math
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

POWERCAP = Path("/sys/class/powercap")  # Linux has the counters of Intel's and of AMD's processors here
COUNTER = "energy_uj"
SAMPLE_SECONDS = 1.0  # a counter wraps around after some minutes, a power meter tells only what is so now
STALE_SECONDS = 5.0
QUERY_SECONDS = 5.0
QUERY = ("--query-gpu=power.draw", "--format=csv,noheader,nounits")

NOT_REPORTED = "This system does not report its energy."
ROOT_ONLY = "Only root may read this computer's energy counter."
LET_READ = (
    "To let everyone read it until the next start: `sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj`."
    " It is hidden because it can give away what other programs compute."
)
WHAT_IT_IS = (
    "It is all that {parts} used while a model was asked, other programs and idle power included. Calls at the same"
    " time share it equally; calls that failed or were stopped are left out. A run in which one call could not be"
    " measured has no number."
)


class Reader(Protocol):
    """Something that tells the energy of a part of the computer."""

    @property
    def part(self) -> str:
        """The part, as a sentence names it."""

    @property
    def is_ready(self) -> bool:
        """Whether it has looked lately; one that has not, after a rest, will tell at its next look what was used."""

    def sample(self) -> None:
        """Look; called about once a second, in a thread, while anything is measured."""

    def take(self) -> float | None:
        """Joules since the last time that it was asked; None where it cannot tell."""


class Rapl:
    """The counters of processor packages and of their memory; each wraps around at its end."""

    part = "the processor and its memory (RAPL)"
    is_ready = True

    def __init__(self, domains: Sequence[Path]) -> None:
        """`domains` are folders of the powercap tree. Raises OSError, ValueError where one cannot be read."""
        self._ends = {domain: int((domain / "max_energy_range_uj").read_text()) for domain in domains}
        self._last = {domain: _count(domain) for domain in domains}

    def sample(self) -> None:
        """Nothing to do: a counter counts by itself."""

    def take(self) -> float | None:
        """Joules since the last time."""
        try:
            now = {domain: _count(domain) for domain in self._last}
        except (OSError, ValueError):
            return None
        steps = (now[domain] - last for domain, last in self._last.items())
        micro = sum(step if step >= 0 else step + end for step, end in zip(steps, self._ends.values(), strict=True))
        self._last = now
        return micro / 1e6


def _count(domain: Path) -> int:
    return int((domain / COUNTER).read_text())


class Nvidia:
    """The power that graphics cards draw, added up over time."""

    part = "the graphics card (nvidia-smi)"

    def __init__(self, command: str) -> None:
        self._command = command
        self._watts: float | None = None
        self._sampled, self._until = -math.inf, time.monotonic()
        self._joules = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it has asked lately; also when there was no answer."""
        return time.monotonic() - self._sampled < STALE_SECONDS

    def sample(self) -> None:
        """Ask for the power now; what has passed since the last time is taken to have had it."""
        try:
            told = subprocess.run(
                [self._command, *QUERY], capture_output=True, text=True, timeout=QUERY_SECONDS, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError):
            self._watts, self._sampled = None, time.monotonic()
            return
        known = [float(line) for line in told.split() if line.replace(".", "", 1).isdecimal()]  # else [N/A]
        self._watts = sum(known) if known else None
        self._sampled = time.monotonic()
        self._go_on()

    def take(self) -> float | None:
        """Joules since the last time; None while no fresh look has told the power."""
        self._go_on()
        joules, self._joules = self._joules, 0.0
        return joules if self._watts is not None and self.is_ready else None

    def _go_on(self) -> None:
        now = time.monotonic()
        self._joules += (self._watts or 0.0) * (now - self._until)
        self._until = now


@dataclass(frozen=True)
class Source:
    """What can be read here, and in words what a number means or why there is none."""

    readers: tuple[Reader, ...] = ()
    says: str = NOT_REPORTED
    hint: str = ""


def find(root: Path = POWERCAP, nvidia: str | None = None) -> Source:
    """What this computer reports; `nvidia` is the command that is asked for the graphics cards' power."""
    domains = [folder for folder in sorted(root.glob("intel-rapl:*")) if _counts(folder)]
    readers: list[Reader] = []
    hidden = False
    if domains:
        try:
            readers.append(Rapl(domains))
        except PermissionError:
            hidden = True
        except (OSError, ValueError):
            pass  # a counter that tells nothing is no counter: the person is told that there is none
    if command := nvidia if nvidia is not None else shutil.which("nvidia-smi"):
        readers.append(Nvidia(command))
    if not readers:
        return Source(says=ROOT_ONLY, hint=LET_READ) if hidden else Source()
    says = WHAT_IT_IS.format(parts=" and ".join(reader.part for reader in readers))
    return Source(tuple(readers), says, f"{ROOT_ONLY} {LET_READ}" if hidden else "")


def _counts(folder: Path) -> bool:
    """Whether a domain is one to add up: packages, and their memory beside them; cores are parts of a package."""
    try:
        name = (folder / "name").read_text().strip()
    except OSError:
        return False
    return name.startswith("package") or name == "dram"


@dataclass
class Used:
    """What one call used so far; None where nobody can tell."""

    joules: float | None = None


@dataclass
class Meter:
    """Measures calls, all of them on one event loop."""

    readers: Sequence[Reader] = ()
    every: float = SAMPLE_SECONDS
    _open: list[Used] = field(default_factory=list)
    _sampler: "asyncio.Task[None] | None" = None

    @contextmanager
    def measured(self) -> Iterator[Used]:
        """What is used in here is known at its end."""
        used = Used(0.0 if self.readers else None)
        if not self.readers:
            yield used
            return
        self._share_out()
        self._open.append(used)
        self._sampler = self._sampler or asyncio.get_running_loop().create_task(self._sample())
        try:
            yield used
        finally:
            self._share_out()
            if not self._is_ready:
                used.joules = None  # it was over before anyone had looked
            self._open = [one for one in self._open if one is not used]
            if not self._open:
                self._sampler.cancel()
                self._sampler = None

    @property
    def _is_ready(self) -> bool:
        return all(reader.is_ready for reader in self.readers)

    def _share_out(self) -> None:
        """Give what was used since the last time to the calls under way, in equal parts; it waits until it is known."""
        if self._open and not self._is_ready:
            return
        told = [reader.take() for reader in self.readers]
        known = [joules for joules in told if joules is not None]
        for used in self._open:
            is_known = used.joules is not None and len(known) == len(told)
            used.joules = (used.joules or 0.0) + sum(known) / len(self._open) if is_known else None

    async def _sample(self) -> None:
        while True:
            for reader in self.readers:
                await asyncio.to_thread(reader.sample)
            self._share_out()
            await asyncio.sleep(self.every)


NOTHING = Meter()


def is_here(address: str) -> bool:
    """Whether an address is this computer's own; an empty one is somebody else's."""
    if not address:
        return False
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname
    except ValueError:
        return False
    if host is None or host == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified
