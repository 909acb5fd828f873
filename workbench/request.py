"""What a person asks for: a run's request, validated before anything starts."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_QUESTION_BYTES = 256 * 1024


class ModelSettings(BaseModel):
    """How the model is asked. None leaves the machine's or the backend's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = Field(None, ge=0, le=2, description="0 repeats itself, higher varies more.")
    top_p: float | None = Field(None, gt=0, le=1, description="Draw from the likeliest tokens up to this probability.")
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="The same seed gives the same draw where it can.")
    max_tokens: int = Field(1024, ge=16, le=32_768, description="Tokens that one answer may have.")
    context_window: int | None = Field(None, ge=512, le=1_048_576, description="Tokens of prompt and answer together.")
    logprobs: bool = Field(True, description="Ask for token probabilities, where the backend gives them.")
    think: bool | None = Field(None, description="Let a thinking model think (Ollama).")


class Limits(BaseModel):
    """Where a run ends as `limit`, with the best answer so far. None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(200, ge=1, le=5_000, description="Nodes that it may visit.")
    tokens: int | None = Field(None, ge=16, le=100_000_000, description="Tokens that the model may write in all.")
    seconds: float | None = Field(None, ge=1, le=604_800, description="Seconds that it may take, pauses not counted.")
    tool_calls: int | None = Field(None, ge=0, le=10_000, description="Tools that it may call.")


class RunRequest(BaseModel):
    """A run: machine, question, model, options, and how far it may go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    question: str
    backend: str
    model: str
    options: dict[str, Any] = Field(default_factory=dict)
    settings: ModelSettings = ModelSettings()
    limits: Limits = Limits()

    @field_validator("question")
    @classmethod
    def _readable(cls, text: str) -> str:
        if "\x00" in text:
            raise ValueError("The question contains a NUL character. Remove it and ask again.")
        if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
            raise ValueError("The question contains half of a surrogate pair, which is no character. Paste it again.")
        if not text.strip():
            raise ValueError("The question is empty. Type what you want to know.")
        if len(text.encode()) > MAX_QUESTION_BYTES:
            raise ValueError(
                f"The question is {len(text.encode()) // 1024:,} KiB long; {MAX_QUESTION_BYTES // 1024} KiB fit."
                " Add long texts as documents and ask about them."
            )
        return text.strip()
