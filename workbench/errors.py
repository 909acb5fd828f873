"""Every error that a person can meet, each with a code, a sentence that names the cause, and the next action.

    WorkbenchError
    ├── InvalidRequest            what was asked for cannot be run (usage)
    │   ├── PromptError           a template that cannot be filled
    │   └── BundleError           a file that is no bundle of ours, or one that cannot be taken in
    ├── BackendError              the model's server did not give an answer
    │   ├── BackendUnreachable    nothing answers at its address
    │   ├── WrongServer           something answers there that is not what it should be
    │   ├── ModelMissing          it does not have the model
    │   ├── AuthenticationFailed  it refused the key
    │   ├── RateLimited           too many requests; says when to come back
    │   ├── QuotaExceeded         the account is out of credit
    │   ├── ContextOverflow       the prompt is longer than the context window
    │   ├── RequestRefused        it refused the request as malformed or unsupported
    │   ├── ServerFault           it failed inside (5xx, an error object in the stream)
    │   ├── StreamBroken          the answer stopped before its end
    │   ├── EmptyAnswer           the answer is complete and says nothing
    │   ├── ReplyTooLong          it goes on far beyond its limit
    │   ├── ContentRefused        its content filter withheld the answer
    │   ├── EngineCrashed         the embedded engine's process died
    │   ├── ModelUnusable         the model cannot be loaded (broken file, too little memory)
    │   └── ScriptExhausted       the scripted backend has no answer left
    ├── FetchError                a model file could not be fetched
    │   └── DigestMismatch        its bytes are not the ones that we pinned
    ├── StructuredOutputError     the model's answer did not fit its schema, retries included
    ├── ScorerError               an answer could not be scored: counted apart, never as wrong
    ├── ToolError                 a tool refused its arguments or failed: always an observation, never the run's end
    └── StoreError                the log cannot be read or written
        ├── StoreReadOnly         no permission to write
        ├── DiskFull              no room to write
        └── RunNotFound           no run has this id

Third parties' errors are mapped onto this tree once, in the file that talks to the third party.
"""

from typing import ClassVar


class WorkbenchError(Exception):
    """The root. `str(error)` is a sentence that names the cause; `hint` says what to do next."""

    code: ClassVar[str] = "error"
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the cause (`message`) and the next action (`hint`, or the class's own)."""
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint


class InvalidRequest(WorkbenchError):
    """What was asked for cannot be run."""

    code = "invalid_request"


class PromptError(InvalidRequest):
    """A prompt template that cannot be filled."""

    code = "prompt_invalid"


class BundleError(InvalidRequest):
    """A file that is no bundle, or one that cannot be taken in: nothing of it was kept."""

    code = "bundle_invalid"
    default_hint = "Nothing was imported. Have it exported again, and check that it was copied whole."


class BackendError(WorkbenchError):
    """The model's server did not give an answer. `began` says that a part of one had arrived."""

    code = "backend_error"
    began: bool = False


class BackendUnreachable(BackendError):
    """Nothing answers at the backend's address."""

    code = "backend_unreachable"


class WrongServer(BackendError):
    """Something answers at the backend's address that does not speak its protocol."""

    code = "wrong_server"


class ModelMissing(BackendError):
    """The backend does not have the model."""

    code = "model_missing"


class AuthenticationFailed(BackendError):
    """The backend refused the key."""

    code = "authentication_failed"
    default_hint = "Check OPENAI_API_KEY in your .env file."


class RateLimited(BackendError):
    """Too many requests. `retry_after` is in seconds, None when the server did not say."""

    code = "rate_limited"

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        """Keep when the server wants to be asked again."""
        super().__init__(message, hint)
        self.retry_after = retry_after


class QuotaExceeded(BackendError):
    """The account behind the key is out of credit."""

    code = "quota_exceeded"


class ContextOverflow(BackendError):
    """The prompt is longer than the context window; both in tokens."""

    code = "context_overflow"
    default_hint = "Shorten the question or the documents, or choose a larger context window under Model settings."

    def __init__(self, message: str, hint: str = "", prompt_tokens: int = 0, context_window: int = 0) -> None:
        """Keep the measured prompt and the window."""
        super().__init__(message, hint)
        self.prompt_tokens = prompt_tokens
        self.context_window = context_window


class RequestRefused(BackendError):
    """The backend refused the request as malformed or unsupported."""

    code = "request_refused"


class ServerFault(BackendError):
    """The backend failed inside. `retry_after` is in seconds, None when the server did not say."""

    code = "server_fault"

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        """Keep when the server wants to be asked again."""
        super().__init__(message, hint)
        self.retry_after = retry_after


class StreamBroken(BackendError):
    """The answer stopped before its end."""

    code = "stream_broken"


class EmptyAnswer(BackendError):
    """The answer is complete and says nothing. `again`: asked once more, the model may well answer."""

    code = "empty_answer"
    default_hint = "Run it again, or put the question in other words."

    def __init__(self, message: str, hint: str = "", again: bool = True) -> None:
        """Keep whether it is worth asking once more."""
        super().__init__(message, hint)
        self.again = again


class ReplyTooLong(BackendError):
    """The backend goes on far beyond the limit of its answer."""

    code = "reply_too_long"
    default_hint = "Run it again. If it returns, the server does not keep to the token limit: update it."


class ContentRefused(BackendError):
    """The backend's content filter withheld the answer."""

    code = "content_refused"


class EngineCrashed(BackendError):
    """The embedded engine's process died."""

    code = "engine_crashed"
    default_hint = "Run it again: the engine starts afresh."


class ModelUnusable(BackendError):
    """The model cannot be loaded."""

    code = "model_unusable"


class ScriptExhausted(BackendError):
    """The scripted backend has no answer left."""

    code = "script_exhausted"
    default_hint = "Add an answer to the script, or choose another backend."


class FetchError(WorkbenchError):
    """A model file could not be fetched."""

    code = "fetch_failed"


class DigestMismatch(FetchError):
    """A fetched file's bytes are not the pinned ones."""

    code = "digest_mismatch"


class StructuredOutputError(WorkbenchError):
    """The model's answer did not fit its schema, retries included."""

    code = "structured_output_invalid"
    default_hint = "Raise the token limit under Model settings, or choose a larger model."


class ScorerError(WorkbenchError):
    """An answer could not be scored. It is counted apart: a scorer that fails says nothing about the answer."""

    code = "scorer_failed"


class ToolError(WorkbenchError):
    """A tool refused its arguments or failed. The sentence is what the model is told."""

    code = "tool_error"


class StoreError(WorkbenchError):
    """The log cannot be read or written."""

    code = "store_error"


class StoreReadOnly(StoreError):
    """The data folder does not accept writes."""

    code = "store_read_only"
    default_hint = "Give the folder write permission, or set WORKBENCH_HOME to another one."


class DiskFull(StoreError):
    """The disk with the data folder is full."""

    code = "disk_full"
    default_hint = "Free some space, or set WORKBENCH_HOME to a folder on another disk."


class RunNotFound(StoreError):
    """No run has this id."""

    code = "run_not_found"
    default_hint = "`python -m workbench runs list` shows the runs that there are."
