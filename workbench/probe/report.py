"""What a probe found: a typed finding for each check, with every raw answer kept as its evidence."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.contract import Rate
from workbench.backends.base import ModelInfo
from workbench.events import ErrorInfo, ToolCall

VERSION = 1  # of this form
KEY_LENGTH = 200  # characters that the store keeps of a model's key
SHORTEST = 512  # tokens of the shortest text in which the end of a context is looked for
SET = 1  # of the fixed questions: findings of different sets are not the same measurement

Depth = Literal["quick", "full"]
Status = Literal["running", "done", "stopped", "failed"]
How = Literal["channel", "tags", "none"]
ContextEnd = Literal["window", "refused", "cut", "lost", "not reached"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


class Evidence(_Frozen):
    """One call: what was asked, the raw answer, and what was concluded from it. Seconds and tokens as they came.

    `asked` is the last message; a long one is shortened in its middle. `wanted` are the settings that matter here.
    """

    asked: str
    wanted: dict[str, Any] = Field(default_factory=dict)
    answer: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    parts: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    first_token_seconds: float | None = None
    seconds: float = 0.0
    error: ErrorInfo | None = None
    says: str = ""


class Streams(_Frozen):
    """Whether an answer comes while it is written: in `parts` pieces over `spread` of its `seconds`."""

    kind: Literal["streams"] = "streams"
    streams: bool
    parts: int
    spread: float
    seconds: float


class Schema(_Frozen):
    """How many answers fit a schema at once and after retries: with the server held to it, and told by the prompt.

    `refused` when the server takes no schema at all; `turned_down` counts tasks that it refused where it took others.
    """

    kind: Literal["schema"] = "schema"
    held: Rate | None = None
    held_retried: Rate | None = None
    told: Rate | None = None
    told_retried: Rate | None = None
    refused: bool = False
    turned_down: int = 0


class Tools(_Frozen):
    """How often it called the right tool in a right way: by itself, wrongly by itself, as text, or not at all."""

    kind: Literal["tools"] = "tools"
    native: Rate
    wrong: int
    text: int
    none: int
    refused: bool = False

    @property
    def usual(self) -> Literal["native", "text", "none"]:
        """How it calls a tool most often."""
        counts: dict[Literal["native", "text", "none"], int] = {
            "native": self.native.right + self.wrong,
            "text": self.text,
            "none": self.none,
        }
        return max(counts, key=lambda name: counts[name])


class Thinks(_Frozen):
    """How it thinks: in a channel of its own, in tags in its text, or not; `unasked` when it needs no asking.

    `tokens` is roughly how much it thinks before an answer.
    """

    kind: Literal["thinks"] = "thinks"
    how: How
    unasked: bool = False
    refused: bool = False
    tokens: int = 0


class Logprobs(_Frozen):
    """Whether it gives log-probabilities, and sane ones: none above 0, one for each token."""

    kind: Literal["logprobs"] = "logprobs"
    given: bool
    sane: bool = False
    refused: bool = False
    wrong: str = ""


class Seed(_Frozen):
    """Whether the same seed gives the same text; None when every seed gave the same, which tells nothing."""

    kind: Literal["seed"] = "seed"
    keeps: bool | None
    same: int
    of: int


class Length(_Frozen):
    """One length at which the needles were looked for: tokens as we counted them, and as the server read them."""

    tokens: int
    read: int | None
    beginning: bool
    middle: bool
    seconds: float


class Context(_Frozen):
    """Where its context really ends: the longest prompt in which it found what stood at the beginning and the middle.

    `end` is why no longer one was tried; `window` is the one that was looked for: the one that was `asked` for (None:
    none was), else the one that the server names.
    """

    kind: Literal["context"] = "context"
    holds: int
    end: ContextEnd
    window: int | None
    asked: int | None = None
    ended_at: int | None = None
    lengths: tuple[Length, ...] = ()


class Speed(_Frozen):
    """Tokens per second, and seconds to the first token: cold (it is loaded first) and warm (the same prompt again).

    `told` when the speeds are the backend's own figures, else they are from the stream's clock. `why_not_cold` says
    why there is no cold one; `alone` is False when other runs were going on.
    """

    kind: Literal["speed"] = "speed"
    prefill: float | None
    decode: float | None
    told: bool
    cold: float | None
    warm: float | None
    load: float | None = None
    why_not_cold: str = ""
    alone: bool = True


Finding = Annotated[Streams | Schema | Tools | Thinks | Logprobs | Seed | Context | Speed, Field(discriminator="kind")]


class Result(_Frozen):
    """What became of a check: measured with its finding, failed with the backend's error, or stopped by the person."""

    check: str
    status: Literal["measured", "failed", "stopped"]
    finding: Finding | None = None
    error: ErrorInfo | None = None
    evidence: tuple[Evidence, ...] = ()
    seconds: float = 0.0


class Report(_Frozen):
    """A probe of one model. `model_key` is the model's digest, or its place and name where no digest is told.

    `context_window` is the window that was asked for (None: the backend's own); `engine` the backend's own line about
    itself; `cpus` and `machine` are this machine's, not a far server's.
    """

    version: int = VERSION
    set: int = SET
    id: str
    program: str
    depth: Depth
    backend: str
    model: str
    model_key: str
    digest: str = ""
    created_at: str
    status: Status
    context_window: int | None = None
    engine: str = ""
    cpus: int = 0
    machine: str = ""
    seconds: float = 0.0
    error: ErrorInfo | None = None
    results: tuple[Result, ...] = ()

    def result(self, check: str) -> Result | None:
        """What became of a check; None when it was not begun."""
        return next((result for result in self.results if result.check == check), None)

    def finding(self, check: str) -> Any:
        """What a check found; None when it has found nothing."""
        result = self.result(check)
        return result.finding if result else None


def key_of(info: ModelInfo) -> str:
    """What tells a model from another one of its name: its digest, else where it is served and its name there."""
    return (info.digest or f"{info.place}|{info.name}")[:KEY_LENGTH]
