"""Named servers in the terminal."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.typing import Terminal
from tests.echo_server import Echo
from tests.keyrings import MemoryKeyring
from tests.ollama_server import serving

KEY = "sk-typed/4242+77"


@pytest.fixture(scope="module")
def echoing() -> Iterator[Echo]:
    application = Echo()
    with serving(application.app()) as application.url:
        yield application


@pytest.fixture
def echo(echoing: Echo) -> Echo:
    echoing.headers.clear()
    return echoing


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))


def test_a_server_is_added_once_it_has_answered_listed_used_and_removed(echo: Echo, terminal: Terminal):
    code, out, err = terminal("models", "servers", "add", "ollama@lab", echo.url, "--model", "m", "--keep-alive", "10m")
    assert (code, out) == (0, "ollama@lab\n")
    assert "Ollama 1.2.3 at http://127.0.0.1:" in err and "It answers in" in err
    code, out, _ = terminal("models", "servers", "list")
    assert out.splitlines()[1].split() == ["ollama@lab", "m", echo.url]
    code, out, _ = terminal("run", "direct", "What?", "--backend", "ollama@lab")
    assert code == 0 and "You sent" in out
    code, out, _ = terminal("models", "list", "--backend", "ollama@lab", "--json")
    assert code == 0 and [model["name"] for model in json.loads(out)["models"]] == ["m:latest"]
    code, _, err = terminal("models", "servers", "remove", "ollama@lab", "--yes")
    assert code == 0 and "removed" in err
    code, _, err = terminal("run", "direct", "What?", "--backend", "ollama@lab")
    assert code == 2 and "no server named lab" in err and "models servers add ollama@lab" in err


def test_one_that_does_not_answer_is_kept_only_untested(terminal: Terminal):
    nowhere = ("models", "servers", "add", "openai@lab", "http://127.0.0.1:9/v1")
    code, out, err = terminal(*nowhere)
    assert (code, out) == (3, "") and "does not answer" in err and "--untested" in err
    assert terminal("models", "servers", "list")[1] == ""
    assert terminal(*nowhere, "--untested")[0] == 0
    code, out, _ = terminal("models", "servers", "test", "openai@lab")
    assert code == 3 and "does not answer" in out
    code, _, err = terminal(*nowhere, "--untested")
    assert code == 2 and "already" in err


def test_the_key_is_typed_and_is_in_the_keyring_alone(
    echo: Echo, terminal: Terminal, own_keyring: MemoryKeyring, typed: None, tmp_path: Path
):
    code, out, err = terminal("models", "servers", "add", "openai@lab", f"{echo.url}/v1", "--keyring")
    assert code == 0 and list(own_keyring.kept.values()) == [KEY]
    assert {sent["authorization"] for sent in echo.headers} == {f"Bearer {KEY}"}
    listed = terminal("models", "servers", "list", "--json")[1]
    assert json.loads(listed)["key_from"] == "keyring"
    shown = terminal("models", "list", "--backend", "openai@lab")[1]
    assert KEY not in out + err + listed + shown and "m-[key]" in shown
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert terminal("models", "servers", "remove", "openai@lab", "--yes")[0] == 0
    assert own_keyring.kept == {}


def test_another_key_takes_the_place_of_the_first(
    echo: Echo, terminal: Terminal, own_keyring: MemoryKeyring, typed: None
):
    terminal("models", "servers", "add", "openai@lab", f"{echo.url}/v1")
    code, _, err = terminal("models", "servers", "key", "openai@lab")
    assert code == 0 and "in the keyring" in err and list(own_keyring.kept.values()) == [KEY]
    code, out, _ = terminal("models", "servers", "test", "openai@lab")
    assert code == 0 and "2 models" in out
    assert terminal("models", "servers", "change", "openai@lab", "--no-key")[0] == 0
    assert own_keyring.kept == {}


def test_a_key_never_stands_on_the_command_line(terminal: Terminal):
    code, _, err = terminal("models", "servers", "key", "openai@lab", KEY)
    assert code == 2 and "unrecognized arguments" in err
    code, _, err = terminal("models", "servers", "add", "openai@lab", "https://lab/v1", "--key-env", KEY)
    assert code == 2 and "no name of an environment variable" in err and KEY not in err


def test_without_a_keyring_the_way_out_is_named(echo: Echo, terminal: Terminal, typed: None):
    code, _, err = terminal("models", "servers", "add", "openai@lab", f"{echo.url}/v1", "--keyring")
    assert code == 2 and "no keyring" in err and "--key-env" in err
    assert echo.headers == []


def test_a_key_of_the_environment_is_named_and_used(echo: Echo, terminal: Terminal, monkeypatch: pytest.MonkeyPatch):
    add = ("models", "servers", "add", "openai@lab", f"{echo.url}/v1", "--key-env", "LAB_KEY")
    code, _, err = terminal(*add)
    assert code == 3 and "LAB_KEY is not set" in err
    assert terminal(*add, "--untested")[0] == 2
    monkeypatch.setenv("LAB_KEY", KEY)
    assert terminal(*add)[0] == 0
    assert "LAB_KEY" in terminal("models", "servers", "list")[1]
    assert echo.headers[-1]["authorization"] == f"Bearer {KEY}"


def test_an_address_over_a_network_without_https_is_warned_of(terminal: Terminal):
    code, _, err = terminal("models", "servers", "add", "ollama@lab", "lab", "--untested")
    assert code == 0 and "plain text" in err
    assert "http://lab:11434" in terminal("models", "servers", "list")[1]
    code, _, err = terminal("models", "servers", "change", "ollama@lab", "--address", "https://lab", "--untested")
    assert code == 0 and "plain text" not in err


@pytest.mark.parametrize("name", ["lab", "embedded@lab", "ollama@", "ollama@La b"])
def test_what_is_no_name_of_a_server_is_refused(name: str, terminal: Terminal):
    code, _, err = terminal("models", "servers", "add", name, "http://127.0.0.1:9", "--untested")
    assert code == 2 and err


def test_nothing_is_removed_without_a_word(terminal: Terminal, monkeypatch: pytest.MonkeyPatch):
    terminal("models", "servers", "add", "ollama@lab", "http://127.0.0.1:9", "--untested")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, err = terminal("models", "servers", "remove", "ollama@lab")
    assert code == 2 and "--yes" in err
    assert "ollama@lab" in terminal("models", "servers", "list")[1]
