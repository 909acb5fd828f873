"""The MCP servers that a person has named: a file as other programs have it, what they listed, and whom to trust."""

import json
import stat

import pytest

from workbench.errors import InvalidRequest
from workbench.settings import Settings, load
from workbench.tools import registry
from workbench.tools.mcp_schema import named, served
from workbench.tools.served import Listing, ServedTool, ToolServer, ToolServers, masked

BOX = ToolServer(name="box", command="box", args=("--stdio",), env={"KEY": "${BOX_KEY}", "MODE": "fast"})


def listing(server: ToolServer = BOX, description: str = "Reads.", name: str = "read") -> Listing:
    tools = tuple(named(server.name, [served(name, description, {}, True)]))
    return Listing(server=server.digest, looked_at="2026-01-01T00:00:00+00:00", tools=tools)


@pytest.fixture
def store(settings: Settings) -> ToolServers:
    return ToolServers(settings)


def only(store: ToolServers) -> ServedTool:
    ((_, tool),) = store.tools().values()
    return tool


def test_a_server_is_kept_in_the_form_that_other_programs_have(store: ToolServers, settings: Settings):
    store.keep(BOX, listing())
    file = settings.home / "mcp.json"
    entry = {"command": "box", "args": ["--stdio"], "env": {"KEY": "${BOX_KEY}", "MODE": "fast"}}
    assert json.loads(file.read_text()) == {"mcpServers": {"box": entry}}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert store.all() == [BOX] and BOX.variables == ["BOX_KEY"]


def test_a_file_from_another_program_is_read_and_what_else_it_says_stays(store: ToolServers, settings: Settings):
    theirs = {
        "theme": "dark",
        "mcpServers": {"files": {"command": "f", "disabled": True}, "web": {"url": "http://h/mcp"}},
    }
    (settings.home / "mcp.json").write_text(json.dumps(theirs))
    assert [server.name for server in store.all()] == ["web"]
    assert store.tools() == {}  # not looked at yet
    store.keep(BOX, listing())
    kept = json.loads((settings.home / "mcp.json").read_text())
    assert kept["theme"] == "dark" and list(kept["mcpServers"]) == ["files", "web", "box"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "is no JSON object"),
        ('{"mcpServers": {"a__b": {"command": "x"}}}', "'a__b' cannot be used: a name has letters and digits"),
        ('{"mcpServers": {"a": {}}}', "it needs a command or a url"),
        ('{"mcpServers": {"a": {"url": "file:///etc"}}}', "its address must be one such as"),
        ('{"mcpServers": {"a": 3}}', "'a' cannot be used"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(store: ToolServers, settings: Settings, text: str, said: str):
    (settings.home / "mcp.json").write_text(text)
    with pytest.raises(InvalidRequest, match=said):
        store.all()


def test_a_tool_asks_first_until_the_person_trusts_it_and_again_when_it_changes(store: ToolServers, settings: Settings):
    store.keep(BOX, listing())
    assert not only(store).trusted
    store.trust(["box__read"], True)
    assert only(store).trusted
    store.keep_listing("box", listing())
    assert only(store).trusted  # it is the same
    store.keep_listing("box", listing(description="Reads, and sends it to me."))
    assert not only(store).trusted
    with pytest.raises(InvalidRequest, match="No MCP server has a tool named 'box__write'"):
        store.trust(["box__write"], True)


def test_needing_approval_and_side_effects_follow_from_trust_and_the_servers_word(
    store: ToolServers, settings: Settings
):
    server = BOX.model_copy(update={"env": {}})
    store.keep(server, listing(server))
    (tool,) = registry.for_run(["box__read"], settings).values()
    assert tool.needs_approval and not tool.side_effects
    store.trust(["box__read"], True)
    (tool,) = registry.for_run(["box__read"], settings).values()
    assert not tool.needs_approval


def test_a_run_whose_server_is_missing_says_which_and_what_to_do(store: ToolServers, settings: Settings):
    with pytest.raises(InvalidRequest, match="one of an MCP server that is not set up here: box") as caught:
        registry.for_run(["clock", "box__read"], settings)
    assert "tools mcp add" in caught.value.hint
    server = BOX.model_copy(update={"env": {}})
    store.keep(server, listing(server))
    with pytest.raises(InvalidRequest, match="box listed no tool named box__write"):
        registry.for_run(["box__write"], settings)
    store.keep(server.model_copy(update={"args": ()}), listing(server))
    with pytest.raises(InvalidRequest, match="not been looked at since it was set up or changed"):
        registry.for_run(["box__read"], settings)
    store.remove("box")
    assert store.all() == [] and store.tools() == {}


def test_a_variable_that_a_server_wants_and_that_is_not_set_ends_a_run_before_it_begins(settings, store):
    store.keep(BOX, listing())
    with pytest.raises(InvalidRequest, match="The variable BOX_KEY, which the MCP server box wants, is not set"):
        registry.served(["box__read"], settings)


def test_what_a_server_is_given_is_masked_where_it_is_a_secret(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BOX_KEY", "short-key")
    given = {"KEY": "${BOX_KEY}", "TOKEN": "ghp_0123456789abcdef", "ROOT": "/home/me/notes/2026", "MODE": "production"}
    server = BOX.model_copy(update={"env": given})
    found = server.secrets(load())
    assert found == ["ghp_0123456789abcdef", "short-key"]
    assert masked("short-key in /home/me/notes/2026", found) == "[secret] in /home/me/notes/2026"


def test_tools_without_arguments_and_with_several_are_told_and_read(store: ToolServers, settings: Settings):
    server = BOX.model_copy(update={"env": {}})
    fields = {"from": {"type": ["string", "null"]}, "to": {"type": "string"}, "any": True}
    tools = [
        served("none", "Nothing.", {}, True),
        served("move", "Moves.", {"properties": fields, "required": ["to", "from"]}, False),
    ]
    store.keep(server, listing(server).model_copy(update={"tools": tuple(named("box", tools))}))
    none, move = registry.for_run(["box__none", "box__move"], settings).values()
    assert registry.describe([none, move]).splitlines() == [
        "box__none(): Nothing.",
        "box__move(from: string|null, to: string, any: any, optional): Moves. Input: a JSON object with to, from.",
    ]
    assert registry.arguments_from_text(none, "whatever") == {}
    assert registry.arguments_from_text(move, "Rome") == {"to": "Rome"}
    assert registry.spec(move).parameters["required"] == ["to", "from"]


KEY = "abcd1234efgh5678ijkl"


@pytest.mark.parametrize(
    "fields",
    [
        {"url": f"https://h.example/mcp/?apiKey={KEY}"},
        {"url": f"https://me:{KEY}@h.example/mcp"},
        {"url": f"https://h.example/s/{KEY}/mcp"},
        {"command": "npx", "args": ("srv", "--token", KEY)},
        {"command": "npx", "args": ("srv", f"--api-key={KEY}")},
        {"command": "npx", "args": ("srv", KEY)},
        {"command": "npx", "args": ("srv", f"postgres://me:{KEY}@localhost/db")},
        {"url": "https://h.example/mcp", "headers": {"Authorization": f"Token {KEY}"}},
    ],
)
def test_a_key_that_is_written_out_is_shown_nowhere(settings: Settings, fields: dict):
    server = ToolServer.model_validate({"name": "box", **fields})
    assert masked(f"401: bad credential {KEY}", server.secrets(settings)) == "401: bad credential [secret]"
    assert KEY not in server.place
    assert server.place.startswith(("https://h.example/", "npx srv"))


def test_plain_words_of_a_command_are_no_keys(settings: Settings):
    words = ("-y", "@scope/mcp-server@1.22.333", "/home/me/notes-2026-01-01", "--max-results=1000000")
    server = ToolServer(name="box", command="npx", args=words)
    assert server.secrets(settings) == [] and server.place == " ".join(("npx", *words))


def test_trust_ends_when_another_command_stands_under_the_name(store: ToolServers):
    store.keep(BOX, listing())
    store.trust(["box__read"], True)
    other = BOX.model_copy(update={"command": "another"})
    store.keep(other, listing(other))
    assert not only(store).trusted


def test_a_disabled_server_is_not_written_over(store: ToolServers, settings: Settings):
    theirs = '{"mcpServers": {"box": {"command": "theirs", "disabled": true}}}'
    (settings.home / "mcp.json").write_text(theirs)
    with pytest.raises(InvalidRequest, match="box already, which is disabled"):
        store.keep(BOX, listing())
    assert (settings.home / "mcp.json").read_text() == theirs and not (settings.home / "mcp-tools.json").exists()
