"""The MCP servers whose tools a run may be offered: what each lists, what asks first, and the form for another."""

import shlex
from typing import Any

import streamlit as st

from workbench.errors import InvalidRequest, ToolError
from workbench.tools.mcp import look
from workbench.tools.served import ServedTool, ToolServer, ToolServers
from workbench.ui import frame, session
from workbench.ui.markdown import escape

ABOUT = (
    "Servers that speak the Model Context Protocol bring tools of their own. They are chosen under Tools in a machine's"
    " options, and ask you before each call until you say otherwise."
)
STRANGERS = (
    "Names and descriptions are the server's own words and go to the model as they are, and so does what a tool says."
    " A page or file behind it may try to instruct the model: before you let a tool be called without asking, think of"
    " what it could do then."
)
OTHERS_REACH_IT = (
    "This page can be reached from other computers, so that only addresses can be added here. A server that is a"
    " command is added in the terminal: `python -m workbench tools mcp add NAME --command LINE`."
)
VARIABLES_HELP = "Names, with commas between: it gets these from your .env or shell when it starts. No value is kept."
TOKEN_HELP = "The name of a variable in your .env or shell. It is sent as Authorization: Bearer, to this address alone."
KINDS = {"command": "Command", "http": "Address", "sse": "Address (SSE)"}
OWN_HOSTS = ("127.0.0.1", "localhost", "::1")


def draw() -> None:
    """The servers with their tools, and the form for another."""
    st.html(f'<div class="wb-backend"><h2>Tools of MCP servers</h2><p class="wb-hint">{escape(ABOUT)}</p></div>')
    if said := session.recall(session.MCP_SAID):
        st.success(frame.plain(said))
        session.put(session.MCP_SAID, "")
    with frame.guarded():
        servers = store().all()
        for server in servers:
            _draw_server(server)
        if servers:
            st.html(f'<p class="wb-hint">{escape(STRANGERS)}</p>')
        if session.recall(session.MCP_ADDING):
            _draw_form()
        else:
            st.button("Add an MCP server", key="add-mcp", on_click=session.put, args=(session.MCP_ADDING, True))


def store() -> ToolServers:
    """The servers that are kept in the home."""
    return ToolServers(session.engine().settings)


def _draw_server(server: ToolServer) -> None:
    listing = store().listing(server)
    with st.container(key=f"mcp-server-{server.name}", horizontal=True, vertical_alignment="center"):
        given = f"given {', '.join(server.variables)}" if server.variables else ""
        facts = [server.place, listing.title if listing else "", given]
        line = " · ".join(escape(fact) for fact in facts if fact)
        st.html(f'<div class="wb-model"><h3>{escape(server.name)}</h3><p class="wb-meta">{line}</p></div>')
        with st.container(key=f"mcp-actions-{server.name}", horizontal=True, width="content", gap="small"):
            is_tested = st.button("Test", key=f"test-mcp-{server.name}", help="Ask it for its tools again.")
            if st.button("Remove", key=f"remove-mcp-{server.name}", type="tertiary"):
                _confirm(server)
    if is_tested:
        with frame.guarded():
            _look_and_keep(server, is_new=False)
    if listing is None:
        st.warning("Not looked at yet, or changed since. Test it: its tools can be chosen then.")
        return
    with st.expander(_title(len(listing.tools)), key=f"mcp-tools-{server.name}"):
        if listing.instructions:
            said = f"It says of itself, which no model is told: “{listing.instructions}”"
            st.html(f'<p class="wb-hint">{escape(said)}</p>')
        for tool in listing.tools:
            _draw_tool(tool)
        for name, why in listing.unusable.items():
            st.html(f'<p class="wb-hint">{escape(f"{name} cannot be offered: {why}.")}</p>')


def _title(tools: int) -> str:
    return f"{tools} tool{'' if tools == 1 else 's'}"


def _draw_tool(tool: ServedTool) -> None:
    with st.container(key=f"tool-{tool.name}", horizontal=True, vertical_alignment="center"):
        what = "only reads, as the server says" if tool.reads_only else "may change something"
        named = ", ".join(tool.parameters["properties"]) or "nothing"
        line = f"{escape(tool.description)}<br>wants {escape(named)} · {what}"
        st.html(f'<div class="wb-model"><h3>{escape(tool.name)}</h3><p class="wb-meta">{line}</p></div>')
        key = f"ask-{tool.name}-{tool.digest}"
        session.put(key, not tool.trusted)
        st.toggle("Ask me", key=key, on_change=session.attempt, args=(_ask, tool, key))


def _ask(tool: ServedTool, key: str) -> None:
    store().trust([tool.name], not session.recall(key))


@st.dialog("Remove this MCP server?")
def _confirm(server: ToolServer) -> None:
    hint = "Its tools are not offered any more. Runs stay; those that used it can be read, but not gone on with."
    st.html(f'<p>{escape(f"{server.name}: {server.place}")}</p><p class="wb-hint">{escape(hint)}</p>')
    with st.container(horizontal=True):
        if st.button(
            "Remove",
            key="remove-for-good-mcp",
            type="primary",
            on_click=session.attempt,
            args=(store().remove, server.name),
        ):
            st.rerun()
        if st.button("Keep it", key="keep-mcp"):
            st.rerun()


def _draw_form() -> None:
    with st.container(key="mcp-form", border=True):
        st.html('<div class="wb-model"><h3>Add an MCP server</h3></div>')
        kinds = list(KINDS) if is_own_machine() else [kind for kind in KINDS if kind != "command"]
        kind = st.segmented_control(
            "Kind", kinds, default=kinds[0], format_func=KINDS.__getitem__, required=True, key="mcp-kind"
        )
        if "command" not in kinds:
            st.caption(OTHERS_REACH_IT)
        values = {"name": st.text_input("Name", key="mcp-name", placeholder="files", max_chars=24).strip()}
        values |= _command_fields() if kind == "command" else _address_fields(kind or "http")
        with st.container(horizontal=True):
            is_saved = st.button("Test and add", key="mcp-save", type="primary")
            st.button(
                "Cancel", key="mcp-cancel", type="tertiary", on_click=session.put, args=(session.MCP_ADDING, False)
            )
        if is_saved:
            with frame.guarded():
                _add(values)


def is_own_machine() -> bool:
    """Whether the page is served to this computer alone: a command that is added here runs on it."""
    return st.get_option("server.address") in OWN_HOSTS


def _command_fields() -> dict[str, Any]:
    line = st.text_input("Command", key="mcp-command", placeholder="npx -y some-mcp-server /home/me/notes")
    names = st.text_input("Variables", key="mcp-env", placeholder="optional", help=VARIABLES_HELP)
    variables = [name.strip() for name in names.split(",") if name.strip()]
    try:
        command, *args = shlex.split(line) or [""]
    except ValueError:
        return {"command": line, "args": [], "problem": "A quotation mark is not closed in the command."}
    return {"command": command, "args": args, "env": {name: f"${{{name}}}" for name in variables}}


def _address_fields(kind: str) -> dict[str, Any]:
    address = st.text_input("Address", key="mcp-url", placeholder="http://127.0.0.1:8000/mcp").strip()
    token = st.text_input("Variable of its token", key="mcp-token", placeholder="optional", help=TOKEN_HELP).strip()
    headers = {"Authorization": f"Bearer ${{{token}}}"} if token else {}
    return {"url": address, "headers": headers, "type": "sse" if kind == "sse" else ""}


def _add(values: dict[str, Any]) -> None:
    """Keep a new server once it has listed its tools. Raises InvalidRequest."""
    if problem := values.pop("problem", ""):
        raise InvalidRequest(problem, "Close it, and try again.")
    server = store().checked(values)
    if server.name in (other.name for other in store().all()):
        raise InvalidRequest(f"There is an MCP server {server.name} already.", "Remove it, or choose another name.")
    _look_and_keep(server, is_new=True)


def _look_and_keep(server: ToolServer, is_new: bool) -> None:
    engine = session.engine()
    try:
        with st.spinner(f"Asking {frame.plain(server.name)}"):
            listing = engine.on_loop(look(server, engine.settings))
    except ToolError as error:
        st.error(frame.sentences(str(error), "It was not added." if is_new else "What it listed before is kept."))
        return
    store().keep(server, listing) if is_new else store().keep_listing(server.name, listing)
    session.put(session.MCP_ADDING, False)
    session.put(session.MCP_SAID, f"{server.name} lists {_title(len(listing.tools))}.")
    st.rerun()
