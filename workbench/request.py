"""What a person asks for: a run's request, validated before anything starts."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_QUESTION_BYTES = 256 * 1024
MAX_HISTORY = 200  # exchanges of a thread


class ModelSettings(BaseModel):
    """How the model is asked. None leaves the machine's or the backend's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = Field(None, ge=0, le=2, description="0 repeats itself, higher varies more.")
    top_p: float | None = Field(None, gt=0, le=1, description="Draw from the likeliest tokens up to this probability.")
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="The same seed gives the same draw where it can.")
    max_tokens: int = Field(1024, ge=16, le=32_768, description="Tokens that one answer may have.")
    context_window: int | None = Field(None, ge=512, le=1_048_576, description="Tokens of prompt and answer together.")
    logprobs: bool = Field(True, description="Ask for token probabilities, where the backend gives them.")
    alternatives: int = Field(3, ge=0, le=10, description="Likely others kept beside each token; 0 keeps none.")
    think: bool | None = Field(None, description="Let a thinking model think (Ollama).")
    prompt_cache: bool = Field(True, description="Off: prompts are read anew, and a seed gives the same (embedded).")
    constrain: bool | None = Field(None, description="Hold answers to their schema; no: the prompt alone tells it.")


class Limits(BaseModel):
    """Where a run ends as `limit`, with the best answer so far. None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(200, ge=1, le=5_000, description="Nodes that it may visit.")
    tokens: int | None = Field(None, ge=16, le=100_000_000, description="Tokens that the model may write in all.")
    seconds: float | None = Field(None, ge=1, le=604_800, description="Seconds that it may take, queues not counted.")
    tool_calls: int | None = Field(None, ge=0, le=10_000, description="Tools that it may call.")


class Reply(BaseModel):
    """What a person says to a run that waits for them.

    `text` is the new last message (edit), the answer (answer) or the word to the model (reject); `arguments` are the
    tool's new ones (edit). `to` is the sequence number of the pause that they saw.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: Literal["approve", "edit", "answer", "reject"]
    text: str = ""
    arguments: dict[str, Any] | None = None
    to: int | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Reply":
        if self.verb == "edit" and not self.text.strip() and self.arguments is None:
            raise ValueError("Nothing is left of what was edited. Write something, or approve it as it was.")
        if self.verb == "answer" and not self.text.strip():
            raise ValueError("Your answer is empty. Write it, or approve the step.")
        if self.verb == "reject" and not self.text.strip():
            raise ValueError("Say in a word why you reject it: the model is told.")
        return self


class Exchange(BaseModel):
    """An earlier question of the same thread with its answer; `run` is the run that gave it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    answer: str
    run: str = ""


class Turn(BaseModel):
    """One turn of a worked example."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["user", "assistant"]
    content: str


class Example(BaseModel):
    """A worked example shown as earlier turns; it is left out when a tool that it `needs` is not offered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    needs: tuple[str, ...] = ()
    turns: tuple[Turn, ...]


class SuitedDefault(BaseModel):
    """A default that was chosen since it suits the model, why, and by which probe of which version of the model.

    `name` is that of an option, or of a model setting as settings.constrain.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    value: Any
    because: str
    probe: str
    model_key: str


class RunRequest(BaseModel):
    """A run: machine, question, model, options, and how far it may go.

    `pause_before` are the nodes that wait for the person, `approve_tools` the tools that do; `prompts` are other
    templates for some of the machine's roles, `examples` other worked examples; `history` is the thread so far, oldest
    first. `suited` says which of the options nobody chose: they follow from a probe of the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    question: str
    backend: str
    model: str
    options: dict[str, Any] = Field(default_factory=dict)
    settings: ModelSettings = ModelSettings()
    limits: Limits = Limits()
    pause_before: tuple[str, ...] = ()
    approve_tools: tuple[str, ...] = ()
    prompts: dict[str, str] = Field(default_factory=dict)
    examples: dict[str, tuple[Example, ...]] = Field(default_factory=dict)
    history: tuple[Exchange, ...] = Field((), max_length=MAX_HISTORY)
    suited: tuple[SuitedDefault, ...] = ()

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
