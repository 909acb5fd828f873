"""An Ollama server's models cared for from the terminal."""

import io
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.cli.typing import Terminal
from tests.ollama_server import CHAT, EMBEDDER, LAYERS, PULLABLE, OllamaServer, ollama_server
from workbench.backends.servers import Server
from workbench.settings import load
from workbench.store.database import Database
from workbench.store.servers import ServerStore


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaServer]:
    """The server at OLLAMA_HOST."""
    with ollama_server() as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        yield server


def test_the_list_tells_all_that_the_server_says_and_embedding_models_apart(
    ollama: OllamaServer, terminal: Terminal
) -> None:
    code, out, _ = terminal("models", "list", "--backend", "ollama")
    assert code == 0
    chat, apart, embeds = out.splitlines()[1], *out.splitlines()[-2:]
    for fact in (CHAT, "qwen2", "494.03M Q4_K_M", "398 MB", "32,768 tokens", "2026-11-01", "tools"):
        assert fact in chat
    assert apart.strip() == "not for answers:"
    assert EMBEDDER in embeds and embeds.endswith("embedding")
    told = json.loads(terminal("models", "list", "--backend", "ollama", "--json")[1])
    assert [model["name"] for model in told["others"]] == [EMBEDDER]
    assert EMBEDDER not in [model["name"] for model in told["models"]]


def test_a_model_is_loaded_kept_seen_and_unloaded(ollama: OllamaServer, terminal: Terminal) -> None:
    assert terminal("models", "ps") == (0, "", "Nothing is loaded.\n")
    ollama.gpu_share = 0.5
    code, out, err = terminal("models", "load", CHAT, "--context", "8192", "--keep", "1h")
    assert (code, out) == (0, "")
    assert f"{CHAT} is loaded: 480 MB, 50% of it on the GPU; context 8,192; unloads in 59:59." in err
    rows = terminal("models", "ps")[1].splitlines()
    assert rows[0].split() == ["NAME", "MEMORY", "ON", "GPU", "CONTEXT", "UNTIL"]
    assert rows[1].startswith(f"{CHAT}  480 MB  50%     8,192    unloads in 59:5")
    code, _, err = terminal("models", "keep", CHAT, "forever")
    assert (code, err) == (0, f"{CHAT} stays until you unload it.\n")
    told = json.loads(terminal("models", "ps", "--json")[1])
    assert (told["name"], told["context"], told["expires"], told["seconds_left"]) == (CHAT, 8192, None, None)
    assert ollama.loads == [(CHAT, 8192)], "keeping it did not load it again"
    assert terminal("models", "unload", CHAT) == (0, "", f"{CHAT} is unloaded.\n")
    assert ollama.loaded == {}


def test_what_cannot_be_done_says_why_with_its_exit_code(ollama: OllamaServer, terminal: Terminal) -> None:
    code, _, err = terminal("models", "keep", CHAT, "5m")
    assert code == 2 and err == f"{CHAT} is not loaded.\nLoad it first.\n"
    code, _, err = terminal("models", "keep", CHAT, "soon")
    assert code == 2 and "1h30m" in err
    assert terminal("models", "load", CHAT, "--context", "0")[0] == 2
    code, _, err = terminal("models", "load", "no-memory")
    assert code == 3 and "5.6 GiB" in err
    code, _, err = terminal("models", "unload", "llama9")
    assert code == 3 and "ollama pull llama9" in err


def test_a_pull_shows_its_layers_and_ends_with_the_model_there(ollama: OllamaServer, terminal: Terminal) -> None:
    ollama.pull_pause = 0.15
    code, out, err = terminal("models", "pull", PULLABLE)
    assert (code, out) == (0, "")
    lines = err.splitlines()
    assert lines[-1] == f"{PULLABLE} is there."
    assert sum(line.endswith("  1 MB") for line in lines) == 1
    assert sum(line.endswith("  200 kB") for line in lines) == 1
    assert any("50% of 1 MB, " in line and "/s, " in line and "s left" in line for line in lines), err
    assert PULLABLE in ollama.models


def test_a_name_that_the_library_does_not_have_ends_with_code_3(ollama: OllamaServer, terminal: Terminal) -> None:
    code, _, err = terminal("models", "pull", "nobody/nothing")
    assert code == 3
    assert "Ollama's library has no model nobody/nothing." in err


def test_ctrl_c_ends_a_pull_and_says_that_it_can_be_gone_on_with(ollama: OllamaServer, terminal: Terminal) -> None:
    ollama.pull_pause = 0.4

    def press() -> None:
        while sum(ollama.blobs.values()) < LAYERS[0] // 2:
            time.sleep(0.02)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    code, _, err = terminal("models", "pull", PULLABLE)
    assert code == 130
    assert "pull it again, and it goes on from there" in err
    assert PULLABLE not in ollama.models
    had = sum(ollama.blobs.values())
    ollama.pull_pause = 0.15
    code, _, err = terminal("models", "pull", PULLABLE)
    assert code == 0
    assert f"went on from {had // 1000} kB" in err


def test_a_model_is_deleted_once_the_person_has_said_so(
    ollama: OllamaServer, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = terminal("models", "rm", CHAT)
    assert code == 2 and "--yes" in err and CHAT in ollama.models
    asked: list[str] = []

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    for answer in ("n", "y"):
        monkeypatch.setattr(sys, "stdin", Typed())
        monkeypatch.setattr("builtins.input", lambda question, answer=answer: asked.append(question) or answer)
        assert terminal("models", "rm", CHAT)[0] == 0
        assert (CHAT in ollama.models) is (answer == "n")
    assert asked[0] == f"Delete {CHAT}, 398 MB, from {ollama.url}? [y/N] "
    assert terminal("models", "rm", EMBEDDER, "--yes") == (0, "", f"{EMBEDDER} is deleted.\n")
    assert terminal("models", "rm", EMBEDDER, "--yes")[0] == 3


def test_a_copy_is_made_and_never_over_another_model(ollama: OllamaServer, terminal: Terminal) -> None:
    assert terminal("models", "cp", CHAT, "mine") == (0, "", f"{CHAT} is also called mine.\n")
    code, _, err = terminal("models", "cp", EMBEDDER, "mine")
    assert code == 2 and "mine:latest already" in err


def test_a_model_is_read_whole_or_in_part(ollama: OllamaServer, terminal: Terminal) -> None:
    _, out, _ = terminal("models", "show", CHAT)
    for fact in ("494.03M", "Q4_K_M", "398 MB", "32,768 tokens", "completion, tools", "2026-11-01T12:00:00+01:00"):
        assert fact in out
    for part in (
        "\nTemplate\n{{ if .System }}",
        "\nSystem\nYou are a helpful",
        "\nLicence\nApache-2.0",
        "\nParameters\n",
    ):
        assert part in out
    assert terminal("models", "show", CHAT, "--only", "licence") == (0, "Apache-2.0\n", "")
    told = json.loads(terminal("models", "show", CHAT, "--json")[1])
    assert (told["name"], told["parameters"], told["system"]) == (CHAT, "494.03M", "You are a helpful assistant.")
    assert "num_ctx" in told["settings"]
    code, _, err = terminal("models", "show", "llama9")
    assert code == 3 and "does not have the model llama9" in err


@pytest.mark.parametrize("name", ["lab", "ollama@lab"])
def test_a_server_that_the_person_has_named_is_asked_by_its_name(terminal: Terminal, name: str) -> None:
    database = Database(load().store_url)
    with ollama_server() as server:
        ServerStore(database).keep(Server(kind="ollama", name="lab", address=server.url))
        database.close()
        assert terminal("models", "load", CHAT, "--server", name)[0] == 0
        assert list(server.loaded) == [CHAT]
    code, _, err = terminal("models", "ps", "--server", "attic")
    assert code == 2 and "attic" in err
    code, _, err = terminal("models", "ps", "--server", name)
    assert code == 3 and server.url in err


def test_a_server_of_another_kind_is_not_taken_for_one_of_ollama(terminal: Terminal) -> None:
    code, _, err = terminal("models", "ps", "--server", "openai@x")
    assert code == 2 and "There is no server named x here (openai@x)." in err
    assert "servers add openai@x" in err
    code, _, err = terminal("models", "ps", "--server", "nope")
    assert "servers add ollama@nope" in err and "any more" not in err
