"""The bundle as a file: a zip of a few named members whose checksums its manifest holds, read as if it were hostile."""

import hashlib
import json
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench import __version__, moments
from workbench.carry.records import newer
from workbench.errors import BundleError

FORMAT = 1
MANIFEST = "manifest.json"
RUNS, EVENTS, PROMPTS = "runs.jsonl", "events.jsonl", "prompts.jsonl"
EXPERIMENT, ITEMS, CELLS = "experiment.jsonl", "items.jsonl", "cells.jsonl"
MEMBERS = {"run": (RUNS, EVENTS, PROMPTS), "experiment": (RUNS, EVENTS, PROMPTS, EXPERIMENT, ITEMS, CELLS)}

HELD = (PROMPTS, EXPERIMENT, ITEMS, CELLS)  # kept until they are entered; runs and their logs are read as they come

MOST_BYTES = 512 * 2**20  # of all members together, unpacked
MOST_HELD = 128 * 2**20
LONGEST_LINE = 16 * 2**20
MOST_VALUES = 200_000  # of one line: three bytes of JSON can become hundreds in memory
LARGEST_MANIFEST = 2**20
DEEPEST = 100  # levels of JSON; the log itself keeps fewer
_PIECE = 256 * 1024
_DIRECTORY = 64 * 1024  # bytes of the table of contents; ours has a few hundred
_END = struct.Struct("<4s4H2LH")  # the record at a zip's end
_MOMENT = (1980, 1, 1, 0, 0, 0)  # of every member: the same content makes the same bytes
_LONE = re.compile(r"\\u[dD][89a-fA-F]")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OSError,
)
UPDATE = "Update Second Thought, then import it."


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Member(_Frozen):
    """A file in the bundle: its size in bytes and its SHA-256."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(_Frozen):
    """What a bundle says of itself.

    `program` is the version that wrote it at `created_at` (ISO 8601), `libraries` are those that it ran with.
    """

    format: int
    kind: str
    program: str
    created_at: str
    libraries: dict[str, str]
    members: dict[str, Member]
    checksum: str = ""

    @property
    def own_checksum(self) -> str:
        """SHA-256 over all that the manifest says besides."""
        return _digest(self.model_dump(exclude={"checksum"}))

    @property
    def digest(self) -> str:
        """SHA-256 over what is carried alone: the same at every export of the same."""
        return _digest({"kind": self.kind, "members": {name: one.sha256 for name, one in self.members.items()}})


class Writer:
    """A bundle that is being written; `close` puts the manifest in and must be called."""

    def __init__(self, target: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._members: dict[str, Member] = {}

    def lines(self, name: str, records: Iterable[str]) -> None:
        """Write a member of one JSON text a line. Raises BundleError when it grows too large to be imported."""
        digest, size = hashlib.sha256(), 0
        before = sum(member.bytes for member in self._members.values())
        held = sum(member.bytes for other, member in self._members.items() if other in HELD)
        with self._zip.open(_entry(name), "w") as member:
            for record in records:
                line = f"{record}\n".encode()
                size += len(line)
                if before + size > MOST_BYTES or (name in HELD and held + size > MOST_HELD):
                    most = MOST_BYTES if before + size > MOST_BYTES else MOST_HELD
                    raise BundleError(f"It has more than {_mb(most)}.", "Export its runs one by one.")
                _check_line(line, name)
                digest.update(line)
                member.write(line)
        self._members[name] = Member(bytes=size, sha256=digest.hexdigest())

    def close(self, kind: str, program: str, created_at: str, libraries: Mapping[str, str]) -> None:
        """Put the manifest in and end the file."""
        manifest = Manifest(
            format=FORMAT,
            kind=kind,
            program=program,
            created_at=created_at,
            libraries=dict(libraries),
            members=self._members,
        )
        data = manifest.model_dump() | {"checksum": manifest.own_checksum}
        self._zip.writestr(_entry(MANIFEST), json.dumps(data, indent=1, sort_keys=True) + "\n")
        self._zip.close()


class Reader:
    """A bundle whose table of contents has been checked; its members are checked while they are read."""

    def __init__(self, opened: zipfile.ZipFile, manifest: Manifest) -> None:
        self.manifest = manifest
        self._zip = opened

    def lines(self, name: str) -> Iterator[Any]:
        """The JSON values of a member, one a line; at its end its checksum is compared. Raises BundleError."""
        said, digest, size = self.manifest.members[name], hashlib.sha256(), 0
        rest = b""
        with _mapped(), self._zip.open(name) as member:
            while piece := member.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                *whole, rest = (rest + piece).split(b"\n")
                if size > said.bytes or len(rest) > LONGEST_LINE:
                    raise BundleError(
                        f"{name} in the bundle has more in it than its manifest says, or than can be read."
                    )
                for line in whole:
                    _check_line(line, name)
                    yield parse(line, name)
        if rest or (size, digest.hexdigest()) != (said.bytes, said.sha256):
            raise BundleError(f"The checksum of {name} in the bundle is wrong: it was changed or damaged.")


@contextmanager
def reading(file: IO[bytes]) -> Iterator[Reader]:
    """A bundle, open as long as it is needed. Raises BundleError for whatever is none, or is unsafe to read."""
    with _mapped():
        _check_end(file)
        opened = zipfile.ZipFile(file)
    with opened:
        entries = {entry.filename: entry for entry in opened.infolist()}
        _check_entries(opened, entries)
        manifest = _read_manifest(opened)
        expected = MEMBERS.get(manifest.kind)
        if expected is None:
            raise BundleError(f"It holds {_shown(manifest.kind)}, which this version does not know.", UPDATE)
        if set(entries) != {MANIFEST, *expected} or set(manifest.members) != set(expected):
            odd = sorted(set(entries) ^ {MANIFEST, *expected}) or sorted(set(manifest.members) ^ set(expected))
            raise BundleError(f"It has not the files of a bundle: see {_shown(odd[0])}.")
        if sum(manifest.members[name].bytes for name in expected if name in HELD) > MOST_HELD:
            raise BundleError(f"Its prompts, items and cells have more than {_mb(MOST_HELD)}.", "Export less at once.")
        yield Reader(opened, manifest)


def parse(line: bytes | str, where: str) -> Any:
    """A JSON value in which every text can be stored and every number is one. Raises BundleError naming `where`."""
    try:
        text = line if isinstance(line, str) else line.decode()
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if text.count("[") + text.count("{") > DEEPEST:
            _check_depth(value)
        return _paired(value) if _LONE.search(text) else value
    except RecursionError:
        raise BundleError(f"{where} in the bundle is nested too deeply.") from None
    except ValueError as error:
        raise BundleError(f"{where} in the bundle cannot be read: {_first_line(error)}.") from None


def moment(text: str, where: str) -> str:
    """A moment in ISO 8601 as ours are written. Raises BundleError."""
    try:
        return moments.in_utc(text)
    except ValueError:
        raise BundleError(f"{where} in the bundle has a date that is none.") from None


def unreadable(error: ValidationError, run_id: str, version: str) -> BundleError:
    """What is wrong with the request of a run that this version of the program made."""
    wrong = explain(error, f"The request of run {run_id}")
    return BundleError(wrong.message, UPDATE if newer(version, __version__) else "")


def explain(error: ValidationError, where: str) -> BundleError:
    """What is wrong with a record of the bundle, by its first problem."""
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, problem["loc"]))
    return BundleError(f"{where} in the bundle cannot be used: {_shown(place)}: {problem['msg']}.")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
    return entry


def _check_end(file: IO[bytes]) -> None:
    """Look at the record at the file's end, before `zipfile` believes how long the table of contents is."""
    size = file.seek(0, 2)
    if size > MOST_BYTES:
        raise BundleError(f"The file has more than {_mb(MOST_BYTES)}.", "Export less at once.")
    file.seek(max(size - 2 * _END.size, 0))
    tail = file.read()
    record = tail[-_END.size :]
    if len(record) < _END.size or not record.startswith(b"PK\x05\x06"):
        raise BundleError("This is no bundle, or not all of it.")
    _, disk, start, here, entries, directory, _, comment = _END.unpack(record)
    if b"PK\x06\x07" in tail or disk or start or here != entries or comment or directory > _DIRECTORY:
        raise BundleError("This zip file was not made by Second Thought.")
    file.seek(0)


def _check_entries(opened: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> None:
    """Only plain files, each once, that do not lie over one another and are not too large together."""
    listed = sorted(opened.infolist(), key=lambda entry: entry.header_offset)
    if not listed:
        raise BundleError("The zip file is empty: it is no bundle.")
    if len(listed) != len(entries):
        raise BundleError("A file is in the bundle twice.")
    if sum(entry.file_size for entry in listed) > MOST_BYTES:
        raise BundleError(f"Unpacked it would have more than {_mb(MOST_BYTES)}.", "Export less at once.")
    ends = [entry.header_offset for entry in listed[1:]] + [opened.start_dir]
    for entry, end in zip(listed, ends, strict=True):
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.flag_bits & 1:
            raise BundleError("The bundle is encrypted.", "Decrypt it first.")
        if kind not in (0, stat.S_IFREG) or entry.is_dir():
            raise BundleError(f"{_shown(entry.filename)} in the bundle is no plain file.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError(f"{_shown(entry.filename)} in the bundle is packed in a way that is not ours.")
        if entry.header_offset + 30 + len(entry.filename.encode()) + entry.compress_size > end:
            raise BundleError("Files in the bundle lie over one another.")


def _read_manifest(opened: zipfile.ZipFile) -> Manifest:
    """The manifest, its format and its own checksum looked at first."""
    with _mapped():
        try:
            entry = opened.getinfo(MANIFEST)
        except KeyError:
            raise BundleError("This zip file is no bundle of Second Thought: it has no manifest.") from None
        if entry.file_size > LARGEST_MANIFEST:
            raise BundleError("The bundle's manifest is too large.")
        data = parse(opened.read(entry), MANIFEST)
    number = data.get("format") if isinstance(data, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise BundleError(f"It was made by a newer version (format {number}; this one knows {FORMAT}).", UPDATE)
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        raise explain(error, MANIFEST) from None
    if manifest.format != FORMAT or manifest.checksum != manifest.own_checksum:
        raise BundleError("The checksum of the bundle's manifest is wrong: it was changed or damaged.")
    return manifest.model_copy(update={"created_at": moment(manifest.created_at, "The manifest")})


@contextmanager
def _mapped() -> Iterator[None]:
    """Whatever `zipfile` says of a broken file, in a sentence."""
    try:
        yield
    except BundleError:
        raise
    except _BROKEN as error:
        raise BundleError(f"The bundle is damaged: {_first_line(error)}.") from None


def _check_line(line: bytes, name: str) -> None:
    """Raise BundleError for a line that is too long, or would become too many values, before it is parsed."""
    if len(line) > LONGEST_LINE:
        raise BundleError(f"A line of {name} in the bundle has more than {_mb(LONGEST_LINE)}.", "Export less at once.")
    if _values(line) > MOST_VALUES and _values(_STRING.sub(b"", line)) > MOST_VALUES:
        raise BundleError(f"A line of {name} in the bundle holds more than {MOST_VALUES:,} values.")


def _values(line: bytes) -> int:
    """At least so many values as the JSON has, and more where its texts have commas and brackets."""
    return line.count(b",") + line.count(b"[") + line.count(b"{")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [item for one in level for item in _inside(one)]
        if not level:
            return
    raise RecursionError


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _paired(value: Any) -> Any:
    """The value with halves of surrogate pairs replaced: no database and no file in UTF-8 can hold them."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")


def _shown(text: str) -> str:
    """A name out of the file, as it can be shown."""
    return repr(text[:80])


def _mb(count: int) -> str:
    return f"{count // 2**20:,} MB"
