"""The engine's own process: llama.cpp's HTTP server on a free loopback port, alive no longer than its parent.

Its standard input brings the API key in one line and then stays open: when it closes, the parent is gone. Its standard
output says where it listens, in one line, as soon as the model is loaded. What llama.cpp prints goes to standard error.
"""

import argparse
import ctypes
import os
import signal
import sys
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1
# The server notices between batches that its client hung up, and may read one more: 64 tokens stop within 2 s on two
# cores (256 took 7), and cost 2 to 8% more time for reading.
BATCH = 64
# How long a thread spins for the others before it sleeps. OpenMP's own milliseconds of spinning keep the core from the
# very thread that is waited for as soon as anything else runs beside us: measured, a tenth of the speed and less.
_SPINS = "1000"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="path of the GGUF file")
    parser.add_argument("--context", type=int, required=True, help="context window of each slot, in tokens")
    parser.add_argument("--slots", type=int, required=True, help="calls that run at once")
    parser.add_argument("--threads", type=int, default=0, help="0 lets llama.cpp choose")
    parser.add_argument("--cache", type=int, default=0, help="MiB for prompts that have left their slots; 0 is none")
    parser.add_argument("--embeds", choices=["own", "last"], help="give vectors: the model's own, or the last token's")
    return parser.parse_args()


def _die_with_parent() -> None:
    """Have the kernel end us with our parent: while a model loads, no Python thread of ours gets to run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _own_the_standard_output() -> int:
    """Keep the pipe to our parent for ourselves: llama.cpp writes to descriptor 1 as it likes."""
    ours = os.dup(1)
    os.dup2(2, 1)
    return ours


def _read_key() -> str:
    """The line from our parent; unbuffered, as a thread will wait on the same descriptor until the end."""
    line = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line.decode()


def _exit_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def main() -> None:
    """Load the model, say where we listen, and serve until the parent lets go of us."""
    arguments = _arguments()
    _die_with_parent()
    report = _own_the_standard_output()
    key = _read_key()
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        server = _serve(arguments, key)
    except RuntimeError:
        sys.exit(1)  # llama.cpp has told standard error why
    os.write(report, f"{server.listening_address}\n".encode())
    threading.Event().wait()


def _serve(arguments: argparse.Namespace, key: str) -> Any:
    """The server, listening; it returns when the model is loaded."""
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)  # OpenMP reads it when it is loaded, which is now
    import xllamacpp  # type: ignore[import-untyped]

    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_ctx = arguments.context * arguments.slots  # it is divided among the slots
    params.n_parallel = arguments.slots
    params.n_batch = params.n_ubatch = BATCH
    params.cache_ram_mib = arguments.cache
    params.use_jinja = True
    params.prefill_assistant = False  # a last assistant turn is a turn, not the beginning of the answer
    params.ui = False
    params.fit_params = False  # it reads the model once more to fit it to a graphics card, and doubles the time to load
    if arguments.embeds:
        params.embedding = True
        params.n_batch = params.n_ubatch = params.n_ctx  # a text is read in one batch, or refused
        if arguments.embeds == "last":
            params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST
    if arguments.threads:
        params.cpuparams.n_threads = arguments.threads
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
