"""The servers that a person has named: what there is of them, and the form that adds or changes one."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from pydantic import SecretStr

from workbench import servers
from workbench.backends.servers import EXAMPLES, KEYRING, KINDS, VARIABLE, Server, check_variable, in_the_open
from workbench.errors import InvalidRequest
from workbench.ui import frame, session
from workbench.ui.markdown import escape

NEW = "new"
PLACES = {"": "It needs none", VARIABLE: "Environment variable", KEYRING: "This computer's keyring"}
ABOUT = (
    "Another Ollama, or any service that speaks OpenAI's protocol, under a name of yours. Each is a backend of its own"
    " wherever one is chosen."
)
KEY_HELP = "It goes into the keyring of the computer that Second Thought runs on, and to this address alone."
VARIABLE_HELP = "In .env or the shell that Second Thought was started in. The key itself is kept nowhere else."
KEEP_ALIVE_HELP = "How long a model stays in memory after a call: 10m, 24h, forever. Empty: as the server does."
TRIAL_SECONDS = servers.TRIAL_SECONDS + 130  # a keyring may wait for its person


@dataclass(frozen=True)
class Filled:
    """What the form holds: a server, and its key where one was typed."""

    server: Server
    secret: SecretStr | None


def draw() -> None:
    """The named servers, and the form for another."""
    st.html(f'<div class="wb-backend"><h2>Named servers</h2><p class="wb-hint">{escape(ABOUT)}</p></div>')
    if said := session.recall(session.SERVER_SAID):
        st.success(frame.plain(said))
        session.put(session.SERVER_SAID, "")
    for server in session.engine().servers.all():
        _draw_row(server)
        if session.recall(session.SERVER_EDITING) == server.id:
            _draw_form(server)
    if session.recall(session.SERVER_EDITING) == NEW:
        _draw_form(None)
    else:
        st.button("Add a server", key="add-server", on_click=_edit, args=(NEW,))


def _edit(server_id: str) -> None:
    """Open the form anew, with fields of its own: a key that was typed into the last one's is forgotten."""
    session.put(session.SERVER_EDITING, server_id)
    session.put(session.SERVER_FORM, session.recall(session.SERVER_FORM, 0) + 1)


def _draw_row(server: Server) -> None:
    with st.container(key=f"server-{server.id}", horizontal=True, vertical_alignment="center"):
        st.html(row_html(server))
        with st.container(key=f"server-actions-{server.id}", horizontal=True, width="content", gap="small"):
            is_tested = st.button("Test", key=f"test-{server.id}", help="Ask it how it is.")
            st.button("Edit", key=f"edit-{server.id}", on_click=_edit, args=(server.id,))
            if st.button("Remove", key=f"remove-{server.id}", type="tertiary"):
                _confirm(server)
    if is_tested:
        trial = _tried(Filled(server, None))
        if trial.answers:
            st.success(frame.sentences(str(trial), trial.status.hint))
        else:
            st.error(frame.sentences(str(trial), trial.status.hint))


def row_html(server: Server) -> str:
    """A server's name, where it is, and where its key is."""
    facts = [server.address, server.model, servers.where_the_key_is(server), "plain text" if server.in_the_open else ""]
    line = " · ".join(escape(fact) for fact in facts if fact)
    return f'<div class="wb-model"><h3>{escape(frame.title(server.id))}</h3><p class="wb-meta">{line}</p></div>'


def _tried(filled: Filled) -> servers.Trial:
    engine = session.engine()
    with st.spinner(f"Asking {frame.plain(filled.server.address)}"):
        return engine.on_loop(servers.tried(filled.server, engine.settings, filled.secret), TRIAL_SECONDS)


@st.dialog("Remove this server?")
def _confirm(server: Server) -> None:
    key = " Its key is taken out of the keyring." if server.key_from == KEYRING else ""
    hint = f"It is not chosen any more, and its runs stay.{key} The server itself goes on."
    st.html(f'<p>{escape(frame.title(server.id))}: {escape(server.address)}</p><p class="wb-hint">{escape(hint)}</p>')
    with st.container(horizontal=True):
        if st.button("Remove", key="remove-for-good", type="primary", on_click=session.attempt, args=(_remove, server)):
            st.rerun()
        if st.button("Keep it", key="keep"):
            st.rerun()


def _remove(server: Server) -> None:
    servers.remove(session.engine().servers, server)
    if session.backend() == server.id:
        session.put(session.BACKEND, session.engine().settings.backend)
    session.put(session.SERVER_EDITING, "")
    session.look_again()


def _draw_form(before: Server | None) -> None:
    with st.container(key="server-form", border=True):
        title = f"Edit {frame.title(before.id)}" if before else "Add a server"
        st.html(f'<div class="wb-model"><h3>{escape(title)}</h3></div>')
        kind = before.kind if before else _choose_kind()
        values = _draw_place(kind, before)
        place = _draw_key(before)
        with st.container(horizontal=True):
            is_tested = st.button("Test and save", key="server-save", type="primary")
            is_saved = st.button("Save untested", key="server-save-untested")
            st.button("Cancel", key="server-cancel", type="tertiary", on_click=_edit, args=("",))
        if is_tested or is_saved:
            with frame.guarded():
                _save(_filled(kind, values, place, before), is_tested)


def _key(field: str) -> str:
    return session.field_key(f"server-{session.recall(session.SERVER_FORM, 0)}", field)


def _choose_kind() -> str:
    chosen = st.segmented_control(
        "Kind", KINDS, format_func=frame.NAMES.__getitem__, default=KINDS[0], required=True, key=_key("kind")
    )
    return chosen or KINDS[0]


def _draw_place(kind: str, before: Server | None) -> Mapping[str, str]:
    """Name, address, default model, and how long models stay."""
    cells = itertools.cycle(st.columns(2))
    name = before.name if before else next(cells).text_input("Name", key=_key("name"), placeholder="lab", max_chars=40)
    address = next(cells).text_input(
        "Address", before.address if before else "", key=_key("address"), placeholder=EXAMPLES[kind]
    )
    model = next(cells).text_input(
        "Model chosen first", before.model if before else "", key=_key("model"), placeholder="optional"
    )
    keep = before.options.get("keep_alive", "") if before else ""
    if kind == "ollama":
        keep = next(cells).text_input(
            "Keep models for", keep, key=_key("keep"), placeholder="as the server does", help=KEEP_ALIVE_HELP
        )
    if (typed := address.strip()) and in_the_open(typed):
        st.warning(servers.PLAIN_TEXT)
    return {"name": name.strip(), "address": address.strip(), "model": model.strip(), "keep_alive": keep.strip()}


def _draw_key(before: Server | None) -> tuple[str, str]:
    """Where its key is, and what was typed for that: a variable's name, or the key."""
    trouble = servers.keyring_trouble()
    places = [place for place in PLACES if place != KEYRING or not trouble]
    known = (VARIABLE if before.variable else before.key_from) if before else ""
    index = places.index(known) if known in places else 0
    place = st.radio("Key", places, index, format_func=PLACES.__getitem__, horizontal=True, key=_key("place"))
    if trouble:
        st.caption(f"{trouble} A key can come from an environment variable.")
    if place == VARIABLE:
        typed = st.text_input(
            "Variable",
            before.variable if before else "",
            key=_key("variable"),
            placeholder="GROQ_API_KEY",
            help=VARIABLE_HELP,
        )
        return VARIABLE, typed.strip()
    if place == KEYRING:
        has_one = before is not None and before.key_from == KEYRING
        typed = st.text_input(
            "Key itself",
            type="password",
            key=_key("key"),
            autocomplete="new-password",
            help=KEY_HELP,
            placeholder="the one that is kept" if has_one else "",
        )
        return KEYRING, typed.strip()
    return "", ""


def _filled(kind: str, values: Mapping[str, str], place: tuple[str, str], before: Server | None) -> Filled:
    """What the form holds. Raises InvalidRequest."""
    where, typed = place
    key_from = VARIABLE + check_variable(typed) if where == VARIABLE else where
    options = {**(before.options if before else {}), "keep_alive": values["keep_alive"]}
    server = Server(
        kind=kind,
        name=values["name"],
        address=values["address"],
        model=values["model"],
        key_from=key_from,
        options={name: value for name, value in options.items() if value},
    )
    if before is None and session.engine().servers.find(server.id):
        raise InvalidRequest(f"There is a server {server.id} already.", "Edit that one, or choose another name.")
    return Filled(server, SecretStr(typed) if where == KEYRING and typed else None)


def _save(filled: Filled, is_tested: bool) -> None:
    """Keep the server, if it is to be tested once it has answered. Raises InvalidRequest."""
    told = ""
    if is_tested:
        trial = _tried(filled)
        if not trial.answers:
            st.error(frame.sentences(f"{trial} It was not saved.", trial.status.hint))
            return
        told = f" {trial}"
    kept = servers.keep(session.engine().servers, filled.server, session.engine().settings, filled.secret)
    session.put(session.SERVER_SAID, f"{frame.title(kept.id)} is kept.{told}")
    _edit("")
    session.look_again()
    st.rerun()
