"""What the environment and .env say, and what a person is told when they say nonsense."""

from pathlib import Path

import pytest

from tests.runs import finish, request, scripted_engine, verdict
from workbench.errors import InvalidRequest
from workbench.events import to_json
from workbench.settings import CHECKOUT, DEFAULT_MODEL, Settings, load


def test_with_nothing_set_everything_has_a_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load({}, None)
    assert settings.home == tmp_path / ".local" / "share" / "second-thought"
    assert settings.models_path == settings.home / "models"
    assert settings.store_url == f"sqlite:///{settings.home / 'runs.db'}"
    assert (settings.backend, settings.embedded_model) == ("embedded", DEFAULT_MODEL)


def test_the_systems_data_folder_is_honoured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert load({}, None).home == tmp_path / "second-thought"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("WORKBENCH_BACKEND=ollama\nOLLAMA_MODEL='qwen:1b'  # small\n")
    settings = load({"WORKBENCH_BACKEND": "scripted"}, dotenv)
    assert (settings.backend, settings.ollama_model) == ("scripted", "qwen:1b")


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("WORKBENCH_EMBEDDED_SLOTS=\n")
    assert load({"WORKBENCH_BACKEND": "", "WORKBENCH_HOME": ""}, dotenv).embedded_slots == 2


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    assert load({}, tmp_path / "none").backend == "embedded"


def test_a_tilde_means_the_home_folder_in_every_path() -> None:
    settings = load({"WORKBENCH_HOME": "~/a", "WORKBENCH_MODELS": "~/b", "WORKBENCH_SCRIPT": "~/c.yaml"}, None)
    assert settings.home == Path.home() / "a"
    assert settings.models_path == Path.home() / "b"
    assert settings.script == Path.home() / "c.yaml"


def test_models_and_log_may_lie_elsewhere() -> None:
    settings = load({"WORKBENCH_MODELS": "/models", "WORKBENCH_DATABASE_URL": "postgresql://host/runs"}, None)
    assert (settings.models_path, settings.store_url) == (Path("/models"), "postgresql://host/runs")


@pytest.mark.parametrize("name", ["what? #1, 100%41 + more", "%3F", "a?mode=memory", "#", "é %"])
def test_a_run_is_kept_in_a_home_of_any_name(tmp_path: Path, name: str) -> None:
    settings = load({"WORKBENCH_HOME": str(tmp_path / name)}, None)
    with scripted_engine(settings, ["Draft.", verdict("accept", 9)]) as engine:
        run_id = engine.submit(request("reflection"))
        events, _ = finish(engine, run_id)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert {"runs.db", "checkpoints.db"} <= {path.name for path in settings.home.iterdir()}
    with scripted_engine(settings, []) as again:
        assert [to_json(event) for event in again.store.events(run_id)] == [to_json(event) for event in events]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKBENCH_BACKEND", "magic"),
        ("WORKBENCH_EMBEDDED_SLOTS", "many"),
        ("WORKBENCH_EMBEDDED_SLOTS", "0"),
        ("WORKBENCH_EMBEDDED_CONTEXT", "1"),
        ("WORKBENCH_SCRIPT_SPEED", "-1"),
        ("OLLAMA_HOST", "http://[bad"),
        ("OLLAMA_HOST", "::::"),
        ("OPENAI_BASE_URL", "http://localhost:port/v1"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=f"The variable {name} cannot be used: ") as caught:
        load({name: value}, None)
    assert ".env.example" in caught.value.hint


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:11434", "http://[::1]:11434", "https://host/path", "0.0.0.0"])
def test_an_address_is_taken_as_it_is_written(host: str) -> None:
    assert load({"OLLAMA_HOST": host}, None).ollama_host == host


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"OLLAMA_MODEL=\xff\xfe")
    with pytest.raises(InvalidRequest, match=str(dotenv)) as caught:
        load({}, dotenv)
    assert "UTF-8" in caught.value.hint


def test_the_key_is_not_shown_by_accident() -> None:
    settings = load({"OPENAI_API_KEY": "sk-secret"}, None)
    assert "sk-secret" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert settings.openai_api_key.get_secret_value() == "sk-secret"


def test_variables_of_others_are_left_alone() -> None:
    assert load({"PATH": "/bin", "home": "/nowhere"}, None).home != Path("/nowhere")


def test_every_variable_is_explained_for_a_person() -> None:
    text = (CHECKOUT / ".env.example").read_text()
    missing = [str(field.alias) for field in Settings.model_fields.values() if str(field.alias) not in text]
    assert missing == []
