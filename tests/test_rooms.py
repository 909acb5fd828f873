"""Who may import whom: the table of the design, held over every file that there is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.settings import CHECKOUT

OURS = ("agents", "workbench", "pages", "app", "prompts", "tests", "scripts", "benchmarks")
LEAVES = ("workbench.errors", "workbench.events", "workbench.request", "workbench.settings", "workbench.__version__")
LEAVES += ("workbench.latex", "workbench.moments", "workbench.units")
STORE = (*LEAVES, "workbench.store")
TOOLS = (*LEAVES, "workbench.tools", "workbench.backends.base")
ENGINE = (*LEAVES, "agents", "workbench.backends", "workbench.tools", "workbench.store")
AROUND_THE_ENGINE = ("bench", "structured", "recorder", "engine", "log", "prompts", "retry", "slots", "journal")
AROUND_THE_ENGINE += ("context", "prompt_sizes", "embedder", "reader", "remembered")
AROUND_THE_ENGINE += ("steering", "history", "fork", "job", "tracing", "suited", "energy", "served", "servers")
SEEN = (
    *LEAVES,
    "agents",
    "workbench.engine",
    "workbench.job",
    "workbench.prompts",
    "workbench.recorder.graph_of",
    "workbench.store",
)
SEEN += (
    "workbench.backends.base",
    "workbench.backends.registry",
    "workbench.backends.fetch",
    "workbench.backends.manage",
    "workbench.backends.servers",
    "workbench.tools.registry",
    "workbench.tools.served",
    "workbench.tools.mcp.look",
    "workbench.carry",
    "workbench.compare",
    "workbench.confidence",
    "workbench.weighing",
    "workbench.context",
    "workbench.cost",
    "workbench.differences",
    "workbench.energy",
    "workbench.price_list",
    "workbench.schema_answers",
    "workbench.experiments",
    "workbench.gallery",
    "workbench.reader",
    "workbench.retry",
    "workbench.examples",
    "workbench.presets",
    "workbench.fork.ForkPoint",
    "workbench.fork.steps_inherited",
    "workbench.steering.CHOSEN",
    "workbench.probe",
    "workbench.suited",
    "workbench.servers",
)
TERMINAL = (*SEEN, "workbench.cli", "workbench.doctor", "workbench.terminal", "workbench.experiments")
PAGES = (*SEEN, "workbench.ui")

# The first room that a file lies in decides what of ours it may import.
ROOMS: dict[str, tuple[str, ...]] = {
    "workbench/errors.py": (),
    "workbench/events.py": (),
    "workbench/request.py": (),
    "workbench/latex.py": (),
    "workbench/moments.py": (),
    "workbench/compare.py": ("workbench.events",),
    "workbench/confidence.py": ("workbench.events",),
    "workbench/context.py": ("workbench.events",),
    "workbench/differences.py": ("workbench.compare",),
    "workbench/energy.py": (),
    "workbench/cost.py": (),
    "workbench/price_list.py": ("workbench.cost", "workbench.errors"),
    "workbench/schema_answers.py": ("workbench.events",),
    "workbench/settings.py": ("workbench.errors",),
    "agents/contract.py": (),
    "agents/": ("agents",),
    "workbench/backends/": (*LEAVES, "workbench.backends"),
    "workbench/tools/search.py": (
        *TOOLS,
        *(f"workbench.store.{name}" for name in ("documents", "passage_vectors", "reading")),
    ),
    "workbench/tools/": TOOLS,
    "workbench/store/datasets.py": (
        *STORE,
        *(f"workbench.experiments.{name}" for name in ("model", "reading", "shipped")),
    ),
    "workbench/store/experiments.py": (*STORE, *(f"workbench.experiments.{name}" for name in ("model", "plan"))),
    "workbench/store/foreign_experiment.py": (
        *STORE,
        *(f"workbench.experiments.{name}" for name in ("model", "plan", "reading")),
    ),
    **{f"workbench/store/{name}.py": (*STORE, "workbench.prompts") for name in ("prompts", "prompt_file")},
    **{f"workbench/store/{name}.py": (*STORE, "workbench.cost") for name in ("costs", "prices")},
    "workbench/store/schema_answers.py": (*STORE, "workbench.schema_answers"),
    "workbench/store/servers.py": (*STORE, "workbench.backends.servers"),
    "workbench/store/probes.py": (*STORE, "workbench.probe.report", "workbench.backends.servers"),
    "workbench/store/": STORE,
    "workbench/probe/report.py": (*LEAVES, "agents.contract", "workbench.backends.base"),
    "workbench/probe/": (
        *ENGINE,
        *(f"workbench.{name}" for name in (*AROUND_THE_ENGINE, "probe")),
        "workbench.experiments.statistics",
    ),
    "workbench/experiments/": (*ENGINE, *(f"workbench.{name}" for name in (*AROUND_THE_ENGINE, "experiments"))),
    "workbench/weighing.py": (*ENGINE, "workbench.confidence", *(f"workbench.{name}" for name in AROUND_THE_ENGINE)),
    **{
        f"workbench/{name}.py": (*ENGINE, *(f"workbench.{other}" for other in AROUND_THE_ENGINE if other != "engine"))
        for name in AROUND_THE_ENGINE
    },
    "workbench/suited.py": (*ENGINE, "workbench.probe.abilities", "workbench.probe.report"),
    # Shows that backend's own download, on the page and in the terminal.
    "workbench/ui/fetching.py": (*PAGES, "workbench.backends.embedded", "workbench.terminal.follow_download"),
    # Cares for that backend's own process and files.
    "workbench/ui/embedded_models.py": (
        *PAGES,
        *(f"workbench.backends.{name}" for name in ("embedded", "memory", "model_files", "sizes")),
    ),
    "workbench/cli/embedded.py": (
        *TERMINAL,
        *(f"workbench.backends.{name}" for name in ("embedded", "memory", "model_files", "sizes")),
    ),
    "workbench/presets.py": (*LEAVES, "agents"),
    "workbench/gallery/": (*STORE, "workbench.carry"),
    "workbench/carry/": (
        *ENGINE,
        *(f"workbench.{name}" for name in ("carry", "prompts", "job")),
        *(f"workbench.experiments.{name}" for name in ("model", "plan", "reading")),
    ),
    "workbench/ui/": PAGES,
    "workbench/cli/": TERMINAL,
    **{f"workbench/{name}.py": TERMINAL for name in ("doctor", "terminal")},
    "workbench/__main__.py": ("workbench.cli",),
    "workbench/": (*ENGINE, *(f"workbench.{name}" for name in AROUND_THE_ENGINE)),
    "pages/experiments.py": (*PAGES, "workbench.experiments"),
    "pages/": PAGES,
    "app.py": PAGES,
}

# Whose library it is: where it alone may be imported.
OWNERS: dict[str, tuple[str, ...]] = {
    "streamlit": ("app.py", "pages/", "workbench/ui/"),
    "ollama": ("workbench/backends/ollama.py", "workbench/backends/ollama_manage.py"),
    "openai": ("workbench/backends/openai.py",),
    "langchain_openai": ("workbench/backends/openai.py",),
    "xllamacpp": ("workbench/backends/llama_server.py",),
    "pydantic_monty": ("workbench/tools/",),
    "sqlalchemy": ("workbench/store/",),
    "sqlite3": ("workbench/store/",),
    "dotenv": ("workbench/settings.py",),
    "keyring": ("workbench/backends/keys.py",),
    "langchain_mcp_adapters": ("workbench/tools/mcp.py",),
    "mcp": ("workbench/tools/mcp.py",),
}

# What a machine may be made of, besides the contract: no world, only thought.
PURE = {"langchain_core", "langgraph", "pydantic", "typing_extensions"}
PURE |= {
    "abc",
    "ast",
    "asyncio",
    "collections",
    "dataclasses",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "importlib",
}
PURE |= {"hashlib", "itertools", "json", "math"}
PURE |= {"operator", "re", "statistics", "string", "textwrap", "typing", "unicodedata", "__future__"}


def files() -> list[str]:
    """Our files, from the checkout's root."""
    found = [*CHECKOUT.glob("app.py"), *(file for room in ("agents", "workbench", "pages") for file in _python(room))]
    return sorted(file.relative_to(CHECKOUT).as_posix() for file in found)


def _python(room: str) -> Iterator[Path]:
    return (CHECKOUT / room).rglob("*.py")


def imports(source: str, file: str) -> set[str]:
    """The modules that a file names in its imports, `from a import b` as a.b."""
    package = file.removesuffix(".py").split("/")[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in allowed)


def trespasses(file: str, source: str) -> list[str]:
    """What a file imports and may not."""
    room = next(room for room in ROOMS if file.startswith(room))
    named = sorted(imports(source, file))
    wrong = [name for name in named if name.split(".")[0] in OURS and not within(name, ROOMS[room])]
    for library, owners in OWNERS.items():
        if not any(file == owner or (owner.endswith("/") and file.startswith(owner)) for owner in owners):
            wrong += [name for name in named if within(name, (library,))]
    if file.startswith("agents/"):
        wrong += [name for name in named if name.split(".")[0] not in PURE | set(OURS)]
    return wrong


def test_there_are_files_in_every_room():
    found = files()
    assert len(found) > 20
    for room in ("agents/", "workbench/", "workbench/backends/", "workbench/tools/", "workbench/store/"):
        assert sum(file.startswith(room) for file in found) >= 4, room


@pytest.mark.parametrize("file", files())
def test_a_file_imports_only_what_its_room_may(file):
    assert trespasses(file, (CHECKOUT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "line", "wrong"),
    [
        ("agents/react.py", "import streamlit as st", "streamlit"),
        ("agents/react.py", "import httpx", "httpx"),
        ("agents/react.py", "from pathlib import Path", "pathlib.Path"),
        ("agents/react.py", "from workbench.errors import ToolError", "workbench.errors.ToolError"),
        ("agents/contract.py", "from agents import catalogue", "agents.catalogue"),
        ("workbench/errors.py", "from workbench.events import Event", "workbench.events.Event"),
        ("workbench/errors.py", "from . import events", "workbench.events"),
        ("workbench/engine.py", "from workbench.ui import cards", "workbench.ui.cards"),
        (
            "workbench/engine.py",
            "if True:\n    from streamlit.runtime import get_instance",
            "streamlit.runtime.get_instance",
        ),
        ("workbench/recorder.py", "from workbench.engine import Engine", "workbench.engine.Engine"),
        ("workbench/tools/python.py", "from workbench.engine import Engine", "workbench.engine.Engine"),
        ("workbench/tools/python.py", "from workbench.store import documents", "workbench.store.documents"),
        ("workbench/tools/python.py", "from ..store import documents", "workbench.store.documents"),
        ("workbench/store/runs.py", "from workbench.bench import RunBench", "workbench.bench.RunBench"),
        ("workbench/backends/openai.py", "import ollama", "ollama"),
        ("workbench/backends/embedded.py", "from langchain_openai import ChatOpenAI", "langchain_openai.ChatOpenAI"),
        ("workbench/ui/cards.py", "from sqlalchemy import select", "sqlalchemy.select"),
        ("pages/bench.py", "import tests.runs", "tests.runs"),
    ],
)
def test_a_trespass_is_seen(file, line, wrong):
    assert wrong in trespasses(file, f"import json\n{line}\n")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("pages/bench.py", "import streamlit as st"),
        ("workbench/ui/cards.py", "from streamlit import session_state"),
        ("agents/react.py", "from agents.contract import Bench"),
        ("workbench/tools/search.py", "from workbench.store.documents import Documents"),
        ("workbench/backends/ollama.py", "import ollama"),
    ],
)
def test_what_a_room_may_is_let_through(file, line):
    assert trespasses(file, line) == []
