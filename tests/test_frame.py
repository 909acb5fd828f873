"""The frame around the code: dependencies, settings, prompts and what holds for all the code."""

import ast
import re
import socket
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path
from string import Template

import httpx
import pytest
import yaml
from dotenv import dotenv_values

import workbench
from agents.catalogue import MACHINES
from workbench.settings import CHECKOUT, Settings, load

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
LOCK = (CHECKOUT / "requirements.lock").read_text()
NOT_OURS = {
    ".git",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    "data",
    "test-output",
    ".env",
    ".langgraph_api",
}
PICTURES = {".png", ".woff2", ".ico", ".zip"}  # and what else is no text


def files(folder: Path = CHECKOUT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS:
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


TEXTS = [path for path in files() if path.suffix not in PICTURES]
CODE = [path for path in TEXTS if path.suffix == ".py"]
SHIPPED = [path for path in CODE if not path.is_relative_to(CHECKOUT / "tests")]
PROMPTS = sorted((CHECKOUT / "prompts").glob("*.yaml"))


def name_of(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def package(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[ \[<>=!~;]", requirement, maxsplit=1)[0]).lower()


# --- dependencies ---


def test_every_dependency_is_in_the_lock() -> None:
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    locked = {package(line) for line in re.findall(r"^[a-zA-Z0-9].*==.*", LOCK, re.MULTILINE)}
    assert {package(requirement) for requirement in wanted} <= locked


def test_every_locked_package_has_a_version_and_hashes() -> None:
    entries = re.split(r"^(?=[a-zA-Z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) > len(PROJECT["project"]["dependencies"])
    without = [
        entry for entry in entries if not re.match(r"\S+==\S+.*\\\n( +--hash=sha256:[0-9a-f]{64}( \\)?\n)+", entry)
    ]
    assert not without


def test_the_lock_names_no_host_and_no_path() -> None:
    assert not re.search(r"://|index-url|find-links|^-|/[a-z]+/", LOCK, re.MULTILINE)


def imported(path: Path) -> set[str]:
    """The packages that a file imports from, neither Python's own nor ours."""
    ours = {folder.name for folder in CHECKOUT.iterdir()} | {"app"}
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - ours - set(sys.stdlib_module_names)


def test_what_is_imported_is_declared_and_not_had_by_chance() -> None:
    runtime = {package(requirement) for requirement in PROJECT["project"]["dependencies"]}
    all_ = runtime | {package(requirement) for requirement in PROJECT["dependency-groups"]["dev"]}
    providers = packages_distributions()
    undeclared: dict[str, set[str]] = {}
    for path in CODE:
        shipped = path.relative_to(CHECKOUT).parts[0] in ("agents", "workbench", "pages", "app.py")
        for name in imported(path):
            known_as = {package(distribution) for distribution in (*providers.get(name, ()), name)}
            if not known_as & (runtime if shipped else all_):
                undeclared.setdefault(name, set()).add(name_of(path))
    assert undeclared == {}


def test_time_zones_come_along_where_the_system_has_none() -> None:
    assert any(package(requirement) == "tzdata" for requirement in PROJECT["project"]["dependencies"])


def test_the_version_is_the_same_everywhere() -> None:
    assert PROJECT["project"]["version"] == workbench.__version__


# --- settings ---


def explained() -> dict[str, str]:
    """The variables of .env.example, with the values that it shows."""
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))


def test_the_example_explains_exactly_the_variables_that_there_are() -> None:
    assert set(explained()) == {str(field.alias) for field in Settings.model_fields.values()}


def test_every_variable_of_the_example_has_a_comment_above_it() -> None:
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    bare = [line for above, line in pairwise(lines) if re.match(r"#[A-Z_]+=", line) and above[:2] != "# "]
    assert not bare


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    uncommented = tmp_path / ".env"
    uncommented.write_text("\n".join(f"{name}={value}" for name, value in explained().items()))
    assert any(dotenv_values(uncommented).values())
    assert load(env={}, dotenv=uncommented) == Settings()


def test_the_app_listens_on_this_machine_alone_and_reports_to_nobody() -> None:
    config = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["address"] in ("localhost", "127.0.0.1")
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["showEmailPrompt"] is False


# --- prompts ---


def test_every_machine_has_its_prompts() -> None:
    assert {path.stem for path in PROMPTS} == set(MACHINES)


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_a_prompt_declares_exactly_the_variables_that_it_uses(path: Path) -> None:
    file = yaml.safe_load(path.read_text())
    assert file["machine"] == path.stem and file["source"]
    for role, prompt in file["roles"].items():
        template = Template(prompt["template"])
        assert template.is_valid(), role
        assert set(template.get_identifiers()) == set(prompt.get("variables", [])), role
        assert prompt["note"], role


# --- the code ---


def test_only_settings_reads_the_environment() -> None:
    reading = re.compile(r"os\.environ(\.get|\[)|os\.getenv|load_dotenv|dotenv_values")
    rooms = [
        path
        for path in SHIPPED
        if path.is_relative_to(CHECKOUT / "workbench") or path.parent.name in ("agents", "pages")
    ]
    assert [name_of(path) for path in rooms if reading.search(path.read_text())] == ["workbench/settings.py"]


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    for path in SHIPPED:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 40:
                    long[f"{name_of(path)}: {node.name}"] = lines
    assert not long


@pytest.mark.parametrize(
    "unwanted",
    [
        r"py[p]i\.or[g]",
        r"python[h]osted",
        r"registry\.np[m]",
        r"index[-_]url\s*=",
        r"(?i)coming[ ]soon",
        r"\bTO[D]O\b",
        r"\bFIX[M]E\b",
    ],
)
def test_no_file_names_a_package_index_or_promises_something(unwanted: str) -> None:
    assert not [name_of(path) for path in TEXTS if re.search(unwanted, path.read_text(encoding="utf-8"))]


# --- the tests' own walls ---


def test_a_connection_beyond_loopback_is_refused(loopback_only: list[str]) -> None:
    with pytest.raises(ConnectionRefusedError, match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with socket.socket() as plain, pytest.raises(ConnectionRefusedError):
        plain.connect(("192.0.2.2", 80))
    assert loopback_only == ["192.0.2.1", "192.0.2.2"]
    loopback_only.clear()


async def test_an_asynchronous_connection_beyond_loopback_is_refused(loopback_only: list[str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://example.invalid")
    assert loopback_only
    loopback_only.clear()


def test_a_test_starts_with_no_setting_of_the_person_and_a_home_of_its_own(tmp_path: Path) -> None:
    mine = load()
    assert mine.home == tmp_path
    assert mine.model_copy(update={"home": Settings().home, "models_folder": None}) == Settings()
