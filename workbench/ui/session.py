"""What a browser session remembers, every key of it declared here, and the one engine behind all sessions."""

import asyncio
import atexit
import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import streamlit as st

from workbench.backends.base import Backend, BackendStatus, ModelInfo, TellsMemory
from workbench.backends.manage import LoadedModel, ManagesModels
from workbench.engine import Engine
from workbench.errors import InvalidRequest, WorkbenchError
from workbench.probe.report import key_of
from workbench.settings import load
from workbench.tools import registry

# Chosen by the person.
BACKEND = "backend"
MACHINE = "machine"
QUESTION = "question"
SHOW = "show"
HEAT = "heat"
SEARCH = "search"
STATUS = "status"
OF_MACHINE = "of_machine"
CELLS = "cells"
PAGE = "page"
# Kept by us.
RUN = "run"
ADOPTED = "adopted"
CARDS = "cards"
FRAMED = "framed"
FORK_OPENINGS = "fork_openings"
WINDOW = "window"
STOPPING = "stopping"
UPLOADS = "uploads"
REPLAY = "replay"
PROBLEM = "problem"
SETTINGS = "setting"
LIMITS = "limit"
PAUSES = "pause_before"
SUITED = "suited"
APPROVALS = "approve_tools"
FOLLOW_UP = "next_question"
FORK = "fork"
FORK_AT = "fork-at"
FORK_BACKEND = "fork-backend"
FORK_FORM = "fork-form"
IDENTITY = "identity"
COMPARED = "compared"
SIDE_A = "a"
SIDE_B = "b"
ROWS = "rows"
EXPERIMENT = "experiment"
NEW_EXPERIMENT = "new_experiment"
EXPERIMENT_FORM = "experiment-form"
ITEM_FILTER = "item_filter"
ITEM_TAGS = "item_tags"
ITEM_SEARCH = "item_search"
ITEM_PAGE = "item_page"
SO_FAR = "results_so_far"
GRADED = "graded"
PENDING = "pending"
# Of the prompts: the version chosen for each role of a machine, and what their page shows.
WORDING = "wording"
OF_PROMPTS = "machine"
OF_ROLE = "role"
OF_VERSION = "version"
PROMPT_MACHINE = "prompt-machine"
PROMPT_ROLE = "prompt-role"
PROMPT_VERSION = "prompt-version"
PROMPT_SAID = "prompt-said"
PROMPT_PROBLEM = "prompt-problem"
PROMPT_AUTHOR = "prompt-author"
PROMPT_VIEW = "prompt-view"
PROMPT_PARTS = "prompt-parts"
PROMPT_FILE = "prompt-file"
PROMPT_TAKEN = "prompt-taken"
PROMPT_UPLOADS = "prompt-uploads"
# Of a comparison's form and its page.
COMPARISON = "comparison"
LANES = "lanes"
LANE_QUESTION = "lane-question"
LANE_SEED = "lane-seed"
SAME_SEED = "same-seed"
BLIND = "blind"
EDITING = "editing-lanes"
AGAINST = "against"
NOTE = "note"
TAKEN = "taken-comparison"
OLDER = "older-comparisons"
# Of what is brought in and taken away.
CARRYING = "carrying"
BUNDLE = "bundle"
BUNDLE_SEEN = "bundle-seen"
VERDICT = "verdict"
# Of the Models page.
MODELS_VIEW = "view"
PROBE_DEPTH = "probe-depth"
PROBE_OPEN = "probe-open"
# Of its views of structured answers and of costs: what is chosen begins with these.
ANSWERS = "answers"
ANSWERS_PAGE = "answers-page"
COSTS = "costs"
PRICES = "prices"
PRICES_SAVED = "prices-saved"
# Of the Memory page: what is looked at, and the memory that is being edited or deleted.
MEMORY_STREAM = "stream"
MEMORY_SEARCH = "memory-search"
MEMORY_KIND = "memory-kind"
MEMORY_PAGE = "memory-page"
MEMORY_EDITING = "memory-editing"
MEMORY_ADDED = "memory-added"
# The card that the bench is to show first: a run's id, the card's number, and a name for this one opening.
GO_TO = "go-to"
SERVER_EDITING = "server-editing"
SERVER_FORM = "server-form-number"
SERVER_SAID = "server-said"
ENGINE_FORM = "engine-size"
ENGINE_KEPT = "engine-size-kept"
OWN_MODEL = "own-model"
MCP_ADDING = "mcp-adding"
MCP_SAID = "mcp-said"
REMOVING = "removing-model"
# Of presets: the one that is chosen, its name while it is typed, and what was said about the last one opened.
PRESET = "preset"
PRESET_NAME = "preset-name"
PRESET_DELETING = "preset-deleting"
PRESET_TOLD = "preset-told"
PRESET_BEGUN = "preset-begun"
# Of the Confidence page: what is written into its forms, what is under way, what was found, and the path of tokens.
WEIGH_USE = "use"
WEIGH_TEXTS = "weigh-texts"
WEIGH_LABELS = "weigh-labels"
WEIGH_PASSAGE = "weigh-passage"
WEIGH_QUESTION = "weigh-question"
WEIGH_BEGUN = "weigh-begun"
WEIGH_PROMPTS = ("weigh-prompt-a", "weigh-prompt-b")
WEIGH_MODEL = "weigh-model"
WEIGH_ANSWER = "weigh-answer"
WEIGHING = "weighing"
WEIGHED = "weighed"
PATH = "path"
PULL_NAME = "pull-name"
PULLS_SEEN = "pulls-seen"
CARING = "caring"

SURVEY_SECONDS = 10.0
MOST_SECONDS = 60.0  # a backend that took long to fail is left alone so much longer, a minute at most
PATIENCE = 12


@dataclass(frozen=True)
class Survey:
    """A backend as it was found: whether it can be used, and its models."""

    name: str
    title: str
    status: BackendStatus
    models: tuple[ModelInfo, ...] = ()
    default_model: str = ""


@dataclass(frozen=True)
class Problem:
    """Why a request could not be run, and what to do."""

    message: str
    hint: str = ""


def field_key(prefix: str, name: str) -> str:
    """The key of a form's field."""
    return f"{prefix}-{name}"


def option_prefix(machine: str) -> str:
    """What the keys of a machine's options begin with."""
    return f"option-{machine}"


def model_key(backend: str) -> str:
    """The key of the model chosen for a backend: each backend remembers its own."""
    return f"model-{backend}"


@st.cache_resource(show_spinner=False, on_release=lambda engine: engine.close())
def engine() -> Engine:
    """The engine that all sessions share. Raises StoreError when the data folder cannot be used."""
    shared = Engine(load())
    atexit.register(shared.close)
    # Streamlit collects garbage after every script run; what the imports made never is any: 123 ms saved each time.
    gc.collect()
    gc.freeze()
    return shared


def tools(chosen: Iterable[str] = ()) -> list[str]:
    """Every tool that a run may be offered; ours alone while mcp.json cannot be read, which its own view says.

    What is `chosen` and not there any more comes last: it can be seen and taken away, and a run says what to do.
    """
    try:
        found = registry.known(engine().settings)
    except InvalidRequest:
        found = list(registry.TOOLS)
    return found + [name for name in chosen if name not in found]


def remember(key: str, default: Any) -> None:
    """Give a key its first value, unless it has one."""
    st.session_state.setdefault(key, default)


def recall(key: str, default: Any = None) -> Any:
    """A key's value."""
    return st.session_state.get(key, default)


def put(key: str, value: Any) -> None:
    """Set a key; for a widget's key only in a callback or before the widget is drawn."""
    st.session_state[key] = value


def copy(prefix: str, other: str) -> None:
    """Give the keys that begin with `other` the values of those that begin with `prefix`."""
    for key in [str(key) for key in st.session_state if str(key).startswith(prefix)]:
        put(other + key.removeprefix(prefix), recall(key))


def identity() -> str:
    """This browser session's own name, by which the engine shares its slots fairly."""
    remember(IDENTITY, uuid4().hex)
    return str(recall(IDENTITY))


def current_run() -> str | None:
    """The run on the bench. A reload keeps the address alone and navigation the session alone: either will do."""
    run_id = st.query_params.get(RUN) or recall(RUN)
    if run_id:
        put(RUN, run_id)
        st.query_params[RUN] = run_id
    return run_id or None


def open_run(run_id: str, speed: float | None = None) -> None:
    """Put a run on the bench; with `speed` as a replay, 0 being instant."""
    from workbench.ui.live import Replay

    put(RUN, run_id)
    st.query_params[RUN] = run_id
    put(REPLAY, Replay.begin(run_id, speed) if speed else None)
    for key in (PROBLEM, FORK, STOPPING, GO_TO):
        put(key, None)


def open_at(run_id: str, entry: int) -> None:
    """Put a run on the bench and show this card of it, drawn though it may be an early one of a long run."""
    open_run(run_id)
    put(GO_TO, (run_id, entry, uuid4().hex))
    put(WINDOW, (run_id, max(entry - 1, 0), True))


def entry_to_show(run_id: str) -> tuple[int, str] | None:
    """The card that the run was opened at, and a name for this one opening; None where it was opened as a whole."""
    wanted, entry, opening = recall(GO_TO) or ("", 0, "")
    return (entry, opening) if wanted == run_id else None


def current_comparison() -> str | None:
    """The comparison on its page; kept as the run on the bench is."""
    name = st.query_params.get(COMPARISON) or recall(COMPARISON)
    if name:
        put(COMPARISON, name)
        st.query_params[COMPARISON] = name
    return name or None


def open_comparison(name: str) -> None:
    """Put a comparison on its page."""
    put(COMPARISON, name)
    st.query_params[COMPARISON] = name
    for key in (PROBLEM, EDITING, AGAINST, STOPPING):
        put(key, None)


def close_comparison() -> None:
    """Clear the page of its comparison; its runs go on."""
    for key in (COMPARISON, PROBLEM, EDITING, AGAINST):
        put(key, None)
    st.query_params.pop(COMPARISON, None)


def open_prompt(machine: str, role: str, version: int | None = None) -> None:
    """Put a role's prompt on its page, at a version or at the default one."""
    for key, name, value in ((PROMPT_MACHINE, OF_PROMPTS, machine), (PROMPT_ROLE, OF_ROLE, role)):
        put(key, value)
        st.query_params[name] = value
    put(PROMPT_VERSION, version)
    if version is None:
        st.query_params.pop(OF_VERSION, None)
    else:
        st.query_params[OF_VERSION] = str(version)


def close_run() -> None:
    """Clear the bench. The run itself goes on."""
    for key in (RUN, REPLAY, ADOPTED, PROBLEM, FORK):
        put(key, None)
    st.query_params.pop(RUN, None)


def current_experiment() -> str | None:
    """The experiment that is looked at, by its name; as with `current_run` the address or the session will do."""
    name = st.query_params.get(EXPERIMENT) or recall(EXPERIMENT)
    if name:
        put(EXPERIMENT, name)
        st.query_params[EXPERIMENT] = name
    return name or None


def open_experiment(name: str) -> None:
    """Look at an experiment."""
    put(EXPERIMENT, name)
    st.query_params[EXPERIMENT] = name
    for key in (PROBLEM, NEW_EXPERIMENT, STOPPING, GRADED):
        put(key, None)
    for key, value in ((ITEM_PAGE, 1), (ITEM_FILTER, "all"), (ITEM_TAGS, []), (ITEM_SEARCH, ""), (SO_FAR, False)):
        put(key, value)


def close_experiment() -> None:
    """Back to the list. The experiment itself goes on."""
    for key in (EXPERIMENT, PROBLEM, NEW_EXPERIMENT):
        put(key, None)
    st.query_params.pop(EXPERIMENT, None)


@contextmanager
def explained() -> Iterator[None]:
    """What is asked for in here: one of our errors becomes a sentence on the page, in the last one's place."""
    put(PROBLEM, None)
    try:
        yield
    except WorkbenchError as error:
        put(PROBLEM, Problem(error.message, error.hint))


def attempt(action: Callable[..., object], *args: object) -> None:
    """Do what a click asks for."""
    with explained():
        action(*args)


def begin_anew() -> None:
    """Clear the bench and the question."""
    close_run()
    put(QUESTION, "")


def end_replay() -> None:
    """Show the rest of a replayed run at once."""
    put(REPLAY, None)


def backend() -> str:
    """The chosen backend's name."""
    return str(recall(BACKEND) or engine().settings.backend)


def model(found: Survey) -> str:
    """The chosen model of a backend: the person's choice, else the backend's default, else its first."""
    chosen = recall(model_key(found.name)) or found.default_model
    return str(chosen or next((info.name for info in found.models if info.installed and not info.wrong), ""))


def use(backend_name: str, model_name: str) -> None:
    """Choose a backend and its model."""
    put(BACKEND, backend_name)
    if model_name:
        put(model_key(backend_name), model_name)


SLOW = BackendStatus(ready=False, detail="It did not answer within 10 seconds.", hint="Look again in a moment.")


class Surveys:
    """How the backends were found, for all sessions: each is asked once at a time, and many of them at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, Future[Survey]] = {}
        self._until: dict[str, float] = {}

    def begin(self, name: str) -> "Future[Survey]":
        """Ask a backend, unless its answer still holds or is on its way."""
        shared = engine()
        with self._lock:
            asked = self._asked.get(name)
            if asked is None or (asked.done() and time.monotonic() > self._until.get(name, 0.0)):
                asked = self._asked[name] = shared.on_loop_soon(self._survey(shared, name))
            return asked

    def forget(self) -> None:
        """Ask them all anew."""
        with self._lock:
            self._asked = {}

    async def _survey(self, shared: Engine, name: str) -> Survey:
        began = time.monotonic()
        found = await _survey(shared, name)
        now = time.monotonic()
        is_well = found.status.ready and found.models
        held = SURVEY_SECONDS if is_well else min(MOST_SECONDS, max(SURVEY_SECONDS, PATIENCE * (now - began)))
        self._until[name] = now + held
        return found


async def _survey(shared: Engine, name: str) -> Survey:
    try:
        found = await asyncio.to_thread(shared.backend, name)  # its library is imported on first use
    except WorkbenchError as error:
        return Survey(name, name, BackendStatus(ready=False, detail=error.message, hint=error.hint))
    try:
        async with asyncio.timeout(SURVEY_SECONDS):
            status = await found.status()
    except TimeoutError:
        return Survey(name, found.title, SLOW)
    # A server that cannot be used is not asked further; an engine of our own lists what it has in any case.
    models = await _models_of(found) if status.ready or isinstance(found, TellsMemory) else ()
    shared.probes.saw(name, {info.name: key_of(info) for info in models})
    return Survey(name, found.title, status, models, found.default_model)


@st.cache_resource(show_spinner=False)
def _surveys() -> Surveys:
    return Surveys()


def survey(name: str) -> Survey:
    """How a backend is. Never raises; the answer holds for ten seconds, one that was long in coming for longer."""
    try:
        return _surveys().begin(name).result(3 * SURVEY_SECONDS)
    except TimeoutError:  # the engine has been closed, or has no time at all
        return Survey(name, name, SLOW)


def begin_surveys(names: Iterable[str]) -> None:
    """Ask several backends at once, before one after the other is drawn."""
    for name in names:
        _surveys().begin(name)


@dataclass(frozen=True)
class Stock:
    """All models of a backend that cares for them, what is in memory, and why nothing is known of them if so."""

    installed: tuple[ModelInfo, ...] = ()
    loaded: tuple[LoadedModel, ...] = ()
    problem: Problem | None = None


@st.cache_resource(ttl=10, show_spinner=False)
def stock(name: str) -> Stock:
    """Ask a backend that cares for its models what it has. Never raises; the answer holds for ten seconds."""
    backend = cast(ManagesModels, engine().backend(name))
    try:
        installed = engine().on_loop(backend.installed(), SURVEY_SECONDS)
        return Stock(tuple(installed), tuple(engine().on_loop(backend.loaded(), SURVEY_SECONDS)))
    except WorkbenchError as error:
        return Stock(problem=Problem(error.message, error.hint))
    except TimeoutError:
        return Stock(problem=Problem("It did not answer within 10 seconds.", "Look again in a moment."))


def look_again() -> None:
    """Forget what the backends said."""
    _surveys().forget()
    stock.clear()


async def _models_of(backend: Backend) -> tuple[ModelInfo, ...]:
    try:
        async with asyncio.timeout(SURVEY_SECONDS):
            return tuple(await backend.models())
    except (WorkbenchError, TimeoutError):
        return ()  # the status says why
