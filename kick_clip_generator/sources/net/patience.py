"""How long one request is tried for: exponential backoff with jitter, `Retry-After`, and when to give up."""

from __future__ import annotations

import random

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.answers import HttpError

FIRST_WAIT_S = 0.5
MAX_WAIT_S = 60.0
# Most likely misspelt; somebody is waiting for an answer.
RETRIES_OF_STRANGERS = 1
# A range that gained so much before it broke off is under way: a bad line costs time, not the range. More than what
# comes before a drip counts as too slow.
PROGRESS_BYTES = 128 * 1024


class Patience:
    """The retries of one request.

    Args:
        settings: `max_retries` and `backoff_factor`.
        agents: how many user agents there are to be refused as.
    """

    def __init__(self, settings: Settings, agents: int) -> None:
        self._settings = settings
        self._agents = agents
        self._failures = 0
        self._refusals = 0

    def wait_s(self, error: HttpError, *, known: bool) -> float | None:
        """Seconds until the next attempt; None when there is no point in one.

        Args:
            error: why the last attempt failed.
            known: whether the host has ever answered.
        """
        if len(error.received) >= PROGRESS_BYTES:
            self._failures = 0
        most = self._settings.max_retries
        if error.outcome == "unreachable" and not known:
            most = min(most, RETRIES_OF_STRANGERS)
        refused = error.outcome == "blocked"
        # Each user agent once, then the first again, for a refusal may have been a passing one.
        if not error.retryable or self._failures >= most or (refused and self._refusals >= self._agents):
            return None
        # As somebody else there is nothing to wait for.
        longest = FIRST_WAIT_S if refused else FIRST_WAIT_S * self._settings.backoff_factor**self._failures
        self._failures += 1
        self._refusals += refused
        # Jitter keeps parallel fetches from returning all at once.
        backoff_s = min(longest, MAX_WAIT_S) * random.uniform(0.5, 1.0)
        return max(backoff_s, min(error.retry_after_s, MAX_WAIT_S))
