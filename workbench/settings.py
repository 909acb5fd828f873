"""The only reader of the environment: variables and the .env file of the checkout become one frozen Settings."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError, field_validator

from workbench.errors import InvalidRequest

CHECKOUT = Path(__file__).resolve().parent.parent

DEFAULT_MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
SMALL_MODEL = "qwen2.5-coder-0.5b-instruct-q4_k_m"

_BACKEND = re.compile(r"embedded|scripted|(ollama|openai)(@[a-z0-9][a-z0-9._-]{0,39})?")
_QUOTED = {ord(sign): f"%{ord(sign):02X}" for sign in "%?#"}  # what would end the path in an address, or change it


def _default_home() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "second-thought"


@dataclass(frozen=True)
class _Sources:
    """Where variables are read: an environment given in place of the real one, and a .env file.

    Any two are equal: settings are the same, however they came about.
    """

    environment: Mapping[str, str] | None = field(default=None, compare=False, repr=False)
    dotenv: Path | None = field(default=None, compare=False)


class Settings(BaseModel):
    """Where things are and how the backends are reached. A field's alias is its variable (see .env.example)."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    home: Path = Field(default_factory=_default_home, alias="WORKBENCH_HOME")
    models_folder: Path | None = Field(None, alias="WORKBENCH_MODELS")
    database_url: str = Field("", alias="WORKBENCH_DATABASE_URL")
    backend: str = Field("embedded", alias="WORKBENCH_BACKEND")
    restore: Literal["on", "off"] = Field("on", alias="WORKBENCH_RESTORE")
    embedded_model: str = Field(DEFAULT_MODEL, alias="WORKBENCH_EMBEDDED_MODEL")
    embedded_context: int = Field(8192, ge=512, alias="WORKBENCH_EMBEDDED_CONTEXT")
    embedded_slots: int = Field(2, ge=1, le=16, alias="WORKBENCH_EMBEDDED_SLOTS")
    embedded_threads: int = Field(0, ge=0, alias="WORKBENCH_EMBEDDED_THREADS")
    embedded_memory_check: Literal["on", "off"] = Field("on", alias="WORKBENCH_EMBEDDED_MEMORY_CHECK")
    ollama_host: str = Field("http://127.0.0.1:11434", alias="OLLAMA_HOST")
    ollama_model: str = Field("", alias="OLLAMA_MODEL")
    ollama_keep_alive: str = Field("", alias="OLLAMA_KEEP_ALIVE")
    ollama_api_key: SecretStr = Field(SecretStr(""), alias="OLLAMA_API_KEY")
    openai_base_url: str = Field("", alias="OPENAI_BASE_URL")
    openai_api_key: SecretStr = Field(SecretStr(""), alias="OPENAI_API_KEY")
    openai_model: str = Field("", alias="OPENAI_MODEL")
    script: Path | None = Field(None, alias="WORKBENCH_SCRIPT")
    script_speed: float = Field(30.0, ge=0, alias="WORKBENCH_SCRIPT_SPEED")
    embedding_model: str = Field("", alias="WORKBENCH_EMBEDDING_MODEL")
    mediawiki: str = Field("https://en.wikipedia.org/w/api.php", alias="WORKBENCH_MEDIAWIKI")
    fetch_approval: Literal["on", "off"] = Field("on", alias="WORKBENCH_FETCH_APPROVAL")

    otel_endpoint: str = Field("", alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otel_traces_endpoint: str = Field("", alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    otel_headers: SecretStr = Field(SecretStr(""), alias="OTEL_EXPORTER_OTLP_HEADERS")
    otel_traces_headers: SecretStr = Field(SecretStr(""), alias="OTEL_EXPORTER_OTLP_TRACES_HEADERS")
    otel_protocol: str = Field("http/protobuf", alias="OTEL_EXPORTER_OTLP_PROTOCOL")
    otel_exporter: str = Field("", alias="OTEL_TRACES_EXPORTER")
    otel_service_name: str = Field("second-thought", alias="OTEL_SERVICE_NAME")
    otel_disabled: str = Field("false", alias="OTEL_SDK_DISABLED")
    otel_content: str = Field("false", alias="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")

    _read_from: _Sources = PrivateAttr(_Sources())

    @field_validator("backend")
    @classmethod
    def _known(cls, name: str) -> str:
        if not _BACKEND.fullmatch(name):
            raise ValueError("it is none of embedded, ollama, openai, scripted, and no named server such as ollama@lab")
        return name

    @field_validator("home", "models_folder", "script")
    @classmethod
    def _at_home(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path is not None else None  # no shell has done it for a line of .env

    @field_validator("ollama_host", "openai_base_url", "mediawiki")
    @classmethod
    def _address(cls, text: str) -> str:
        try:
            _ = urlsplit(text if "://" in text else f"//{text}").port
        except ValueError:
            raise ValueError("it is no address such as http://127.0.0.1:11434") from None
        return text

    def secret(self, variable: str) -> SecretStr | None:
        """What a variable holds now, in the environment or in .env; None when it is unset or empty.

        It is read anew each time, so that a key need not be there when the program starts, and none is kept here.
        Raises InvalidRequest when .env cannot be read.
        """
        found = _variables(self._read_from).get(variable)
        return SecretStr(found) if found else None

    @property
    def models_path(self) -> Path:
        """The folder of the embedded engine's model files."""
        return self.models_folder or self.home / "models"

    @property
    def is_traced(self) -> bool:
        """Whether runs are sent to a collector as spans."""
        exporter = self.otel_exporter.lower() or ("otlp" if self.otel_endpoint or self.otel_traces_endpoint else "none")
        is_ours = exporter == "console" or (exporter == "otlp" and self.otel_protocol.lower() == "http/protobuf")
        return is_ours and self.otel_disabled.lower() != "true"

    @property
    def store_url(self) -> str:
        """SQLAlchemy's address of the log; a SQLite file in the home unless set."""
        return self.database_url or "sqlite:///" + str(self.home / "runs.db").translate(_QUOTED)


def load(env: dict[str, str] | None = None, dotenv: Path | None = CHECKOUT / ".env") -> Settings:
    """Settings from .env and, over it, the environment. Empty variables count as unset. Raises InvalidRequest."""
    sources = _Sources(env, dotenv)
    values = _variables(sources)
    aliases = {str(field.alias) for field in Settings.model_fields.values()}
    try:
        found = Settings.model_validate({key: value for key, value in values.items() if key in aliases and value})
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidRequest(
            f"The variable {first['loc'][0]} cannot be used: {first['msg'].removeprefix('Value error, ')}.",
            "Correct it in .env; .env.example explains it.",
        ) from None
    found._read_from = sources
    return found


def _variables(sources: _Sources) -> dict[str, str | None]:
    """What .env says and, over it, the environment. Raises InvalidRequest."""
    dotenv = sources.dotenv
    try:
        values: dict[str, str | None] = dict(dotenv_values(dotenv)) if dotenv and dotenv.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The file {dotenv} cannot be read: {error}.", "Save it as UTF-8 text.") from None
    return values | dict(os.environ if sources.environment is None else sources.environment)
