"""Which failed calls are tried again, how often, and how long we wait."""

import random

from workbench.errors import BackendError, RateLimited, ServerFault

ATTEMPTS = 3
LONGEST_WAIT = 120.0  # seconds; a server that wants us to wait longer gets no second request


def wait_before_retry(error: BackendError, attempt: int) -> float | None:
    """Seconds to wait after the failed `attempt` (counted from 1); None when it is not to be tried again.

    Only refusals that pass by themselves are retried: too many requests, and a fault inside the server.
    """
    if attempt >= ATTEMPTS or not isinstance(error, RateLimited | ServerFault):
        return None
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_WAIT else None
    return float(2**attempt) * random.uniform(0.5, 1.0)
