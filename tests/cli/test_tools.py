"""Tools and MCP servers in the terminal."""

import json
import sys
from pathlib import Path

import pytest

import tests.tools
from tests.cli.typing import Script, Terminal
from tests.runs import action

SCRIPT = str(Path(tests.tools.__path__[0]) / "mcp_server.py")
LINE = f"{sys.executable} {SCRIPT} stdio"
COMMAND = ("--command", LINE)


def test_a_server_is_added_trusted_used_tested_and_removed(
    terminal: Terminal, script: Script, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ABACUS_KEY", "sk-abacus-4242")
    code, out, err = terminal("tools", "mcp", "add", "abacus", "--env", "ABACUS_KEY", *COMMAND)
    assert code == 0, err
    assert "given: ABACUS_KEY" in out and "abacus__add" in out and "may change" in out
    code, _, err = terminal("tools", "mcp", "add", "abacus", *COMMAND)
    assert code == 2 and "There is an MCP server abacus already" in err
    assert "abacus__add" in terminal("tools", "list")[1]
    code, _, err = terminal("tools", "mcp", "trust", "abacus__secret")
    assert code == 0 and "without asking you while it stays as it is" in err
    script([action("abacus__secret", ""), action("finish", "Done.")])
    code, out, err = terminal("run", "react", "What key?", "--option", "tools=clock,abacus__secret", "--json")
    assert code == 0 and "my key is [secret]" in out
    code, shown, _ = terminal("tools", "mcp", "list", "--json")
    assert json.loads(shown)["variables"] == ["ABACUS_KEY"]
    assert "sk-abacus" not in out + err + shown
    assert terminal("tools", "mcp", "test", "abacus")[0] == 0
    assert terminal("tools", "mcp", "remove", "abacus")[0] == 0
    code, _, err = terminal("run", "react", "What key?", "--option", "tools=abacus__secret")
    assert code == 2 and "not set up here: abacus" in err and "tools mcp add" in err


def test_a_server_that_does_not_answer_is_not_added_and_says_why(terminal: Terminal):
    code, _, err = terminal("tools", "mcp", "add", "gone", "--command", "no-such-program")
    assert code == 3 and "there is no program 'no-such-program' here" in err and "It was not added." in err
    code, _, err = terminal("tools", "mcp", "add", "broken", "--command", f"{LINE} broken")
    assert code == 3 and "Its last words: no beads found" in err
    code, out, err = terminal("tools", "mcp", "list")
    assert (code, out) == (0, "") and "There are none yet" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a__b", "--command", "x"), "a name has letters and digits"),
        (("box",), "one of the arguments --command --url is required"),
        (("box", "--command", "box 'a"), "A quotation mark is not closed"),
        (("box", "--url", "ftp://h"), "its address must be one such as"),
        (("box", "--url", "http://h", "--header", "X"), "has no value"),
        (
            ("box", "--env", "NO_SUCH_VARIABLE", "--command", sys.executable),
            "NO_SUCH_VARIABLE, which the MCP server box wants",
        ),
    ],
)
def test_what_cannot_be_a_server_is_refused_with_a_sentence(terminal: Terminal, arguments: tuple[str, ...], said: str):
    code, _, err = terminal("tools", "mcp", "add", *arguments)
    assert code == 2 and said in err
