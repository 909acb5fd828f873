"""The one policy for failed model calls: which are tried again, how often, and how long we wait.

| what failed | attempts | the wait before the next |
|---|---|---|
| too many requests (429) | 4 | what the server asks for, up to 2 minutes; else 2, 4, 8 seconds less up to half |
| a fault inside the server (5xx, an error object) | 4 | the same |
| nobody answers any more, or the connection broke | 3 | 2, 4 seconds less up to half |
| an empty answer | 2 | none |

All else fails at once: asked again it would fail again. So does whatever breaks off in the middle of an answer: its
tokens are paid for and its text is on the log, and whether to pay again is the person's choice (Resume). A server that
is down when a run begins fails the run at once too, since the engine asks for the model before the first call.
A server that wants more than 2 minutes gets no second request: the error says when it wants to be asked again.
The wait is on the log before it begins (`Retried.waited`), and stopping the run ends it.
"""

import random

from workbench.errors import BackendError, BackendUnreachable, EmptyAnswer, RateLimited, ServerFault, StreamBroken

ATTEMPTS: dict[type[BackendError], int] = {
    RateLimited: 4,
    ServerFault: 4,
    BackendUnreachable: 3,
    StreamBroken: 3,
    EmptyAnswer: 2,
}
FIRST_WAIT = 2.0  # seconds; doubled with every attempt, less up to half so that those who failed together come apart
LONGEST_WAIT = 120.0  # seconds that a server may ask for


def attempts(code: str) -> int | None:
    """How often a call is made in all when it fails with an error of this code; None where it is made once."""
    return next((most for kind, most in ATTEMPTS.items() if kind.code == code), None)


def wait_before_retry(error: BackendError, attempt: int) -> float | None:
    """Seconds to wait after the failed `attempt` (counted from 1); None when it is not to be tried again."""
    if attempt >= next((most for kind, most in ATTEMPTS.items() if isinstance(error, kind)), 1):
        return None
    if isinstance(error, EmptyAnswer):
        return 0.0 if error.again else None
    if error.began:
        return None
    if isinstance(error, RateLimited | ServerFault) and error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_WAIT else None
    return FIRST_WAIT * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.0)
