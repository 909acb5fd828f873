"""Stands between us and an MCP server on standard input and output: the server, and all that it starts, ends with us.

Run as a script of its own with the server's command. Only lines that are JSON objects come through; what the server
prints otherwise, and on standard error, is kept and told in a log message when it ends.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import IO

LONGEST_LINE = 8 << 20  # bytes; one that is longer ends the server, before it fills the memory
WORDS_KEPT = 5  # lines
WORD_LENGTH = 2_000  # longer than what is shown: a key is masked before its line is cut
POLITE_SECONDS = 1.0  # to end by itself once its input has closed; our own parent kills us after two


class Child:
    """The server's process, in a group of its own."""

    def __init__(self, command: list[str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        self.words: deque[str] = deque(maxlen=WORDS_KEPT)
        self.is_left = False  # nobody listens any more

    def feed(self) -> None:
        """Hand our input on; when it closes, the one whom the server works for is gone."""
        assert self.process.stdin is not None
        with suppress(OSError), self.process.stdin as server:
            while piece := os.read(0, 1 << 16):
                server.write(piece)
                server.flush()
        self.is_left = True
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(POLITE_SECONDS)
        self.end()

    def listen(self) -> None:
        """Keep the last lines of its standard error."""
        assert self.process.stderr is not None
        while line := self.process.stderr.readline(1 << 14):
            self._keep(line)

    def watch(self) -> None:
        """When the server has ended, end what it left behind, which may hold its output open."""
        self.process.wait()
        self.end()

    def pass_on(self, stream: IO[bytes]) -> None:
        """Hand on the lines that are messages."""
        while line := stream.readline(LONGEST_LINE):
            if len(line) >= LONGEST_LINE:
                self.words.append(f"a line of more than {LONGEST_LINE >> 20} MB on standard output")
                self.end()
                return
            if not _is_message(line):
                self._keep(line)
            elif not self.is_left:
                _tell(line)

    def end(self) -> None:
        """End the server and all that it started."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.3)

    def _keep(self, line: bytes) -> None:
        if text := line.decode("utf-8", "replace").strip():
            self.words.append(text[:WORD_LENGTH])

    def last_words(self) -> bytes:
        """How it ended, as a log message of the protocol."""
        said = {"level": "error", "logger": "ended", "data": {"code": self.process.poll(), "words": list(self.words)}}
        return json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": said}).encode()


def _tell(line: bytes) -> None:
    sys.stdout.buffer.write(line.rstrip() + b"\n")
    sys.stdout.buffer.flush()


def _is_message(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def main() -> None:
    """Run the command of the arguments until it ends or our input closes."""
    child = Child(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: child.end())  # then its output closes, and so do we
    listening = threading.Thread(target=child.listen, daemon=True)
    for thread in (listening, *(threading.Thread(target=work, daemon=True) for work in (child.feed, child.watch))):
        thread.start()
    assert child.process.stdout is not None
    with suppress(BrokenPipeError):
        child.pass_on(child.process.stdout)
        child.process.wait()
        listening.join(0.5)
        if not child.is_left:
            _tell(child.last_words())
    child.end()
    os._exit(0)


if __name__ == "__main__":
    main()
