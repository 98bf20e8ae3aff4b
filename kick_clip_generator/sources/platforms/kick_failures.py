"""What is wrong with an answer of Kick's servers, in words of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.platforms.kick_answers import Answer

MAX_RETRY_AFTER_S = 1e6


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came; `location` and `retry_after` are headers, empty where there are none."""

    status: int
    body: bytes
    location: str
    retry_after: str


class KickFailure(SourceError):
    """A request that failed; `status` 0 when there was no answer."""

    def __init__(self, message: str, *, outcome: str, status: int = 0, wait_s: float = 0.0) -> None:
        super().__init__(message, outcome=outcome, retryable=outcome in ("timeout", "server", "unreachable"))
        self.status = status
        self.wait_s = wait_s


def check_answer(raw: RawAnswer, what: str) -> None:
    """Raises:
    SourceError: for every answer but a good one.
    """
    status = raw.status
    if status == 200:
        return
    try:
        means, said = Answer.parse(raw.body, what).reason()
    except SourceError:
        means, said = "", ""
    words = f" ({said})" if said else ""
    if status == 451 or (status in (401, 403) and means == "geo_blocked"):
        outcome, sentence = "geo_blocked", f"Kick does not show {what} in this country{words}."
    elif status == 401 or (status == 403 and means == "login"):
        outcome, sentence = "login", f"Kick shows {what} only to those who may see it{words}."
    elif status == 403:
        outcome, sentence = "blocked", f"Kick refuses to answer about {what} (403){words}."
    elif status in (404, 410):
        outcome, sentence = "gone", f"Kick does not know {what} ({status}){words}."
    elif status == 429:
        outcome, sentence = "rate_limited", f"Kick was asked too often about {what} (429); wait a while."
    elif status >= 500:
        outcome, sentence = "server", f"Kick cannot answer about {what} just now ({status}); try again later."
    else:
        outcome, sentence = "site_changed", f"Kick answers about {what} with status {status}{words}."
    wait_s = float(raw.retry_after) if raw.retry_after.isascii() and raw.retry_after.isdigit() else 0.0
    raise KickFailure(sentence, outcome=outcome, status=status, wait_s=min(wait_s, MAX_RETRY_AFTER_S))


def transport_failure(exceptions: Any, error: Any, what: str) -> KickFailure:
    """The failure behind an error of libcurl, without any of its words: they may quote what was sent.

    Args:
        exceptions: the module `curl_cffi.requests.exceptions`.
        error: a `curl_cffi.CurlError`.
        what: names the request.
    """
    from curl_cffi import CurlECode

    # A handshake that breaks off is a fault of the network.
    if isinstance(error, exceptions.SSLError) and error.code != CurlECode.SSL_CONNECT_ERROR:
        return KickFailure(
            "kick.com has no valid TLS certificate here, so it is not trusted; check the date of this computer and "
            "what filters its network.",
            outcome="tls",
        )
    if isinstance(error, exceptions.ImpersonateError):
        # Another one may be known.
        return KickFailure("This curl_cffi does not know the browser that it should act as.", outcome="blocked")
    if isinstance(error, exceptions.Timeout):
        return KickFailure(f"Kick did not answer in time about {what}.", outcome="timeout")
    return KickFailure("Kick could not be reached; check your connection.", outcome="unreachable")
