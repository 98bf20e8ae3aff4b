"""What a server's answer means: complete, refused, gone, cut off; one sentence for every way a request can fail."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.safety import clean_text, redact


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete (or, for `HttpClient.peek`, a cut off) answer.

    Attributes:
        url: where it came from, after redirects; signed as it was, so never to be shown.
        status: 200 or 206.
        headers: names in any case.
        body: decoded.
        size: bytes of the whole resource, None when the server does not say.
    """

    url: str = field(repr=False)
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    size: int | None


class HttpError(SourceError):
    """A request that failed, with what the retry loop needs to know.

    Attributes:
        status: of the answer, 0 when there was none.
        retry_after_s: how long the server wants to be left alone.
        received: the beginning of a range that broke off.
    """

    def __init__(
        self,
        message: str,
        *,
        outcome: str,
        retryable: bool = False,
        status: int = 0,
        retry_after_s: float = 0.0,
        received: bytes = b"",
    ) -> None:
        super().__init__(message, outcome=outcome, retryable=retryable)
        self.status = status
        self.retry_after_s = retry_after_s
        self.received = received


def http_error(url: str, what: str, outcome: str, **details: Any) -> HttpError:
    """The error whose sentence is the redacted URL and `what`."""
    return HttpError(f"{redact(url)} {what}.", outcome=outcome, **details)


def transport_error(url: str, error: Exception, received: bytes = b"") -> HttpError:
    """Why no (complete) answer came, from what requests, urllib3 or the system raised.

    The cause must not be chained to it: those quote whole URLs.
    """
    host = clean_text(urlsplit(url).hostname or "", 100)
    text = str(error)
    if isinstance(error, requests.exceptions.ConnectTimeout | urllib3.exceptions.ConnectTimeoutError):
        message = "could not be reached in time; check the address and your connection"
        return http_error(url, message, "unreachable", retryable=True)
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return http_error(url, "did not answer in time", "timeout", retryable=True, received=received)
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return http_error(url, "has no valid TLS certificate, so it is not trusted", "tls")
        return http_error(url, "breaks off the TLS connection", "tls", retryable=True, received=received)
    if "NameResolutionError" in text or "Failed to resolve" in text:
        message = f"The host {host} cannot be found; check the address and your connection."
        return HttpError(message, outcome="unreachable", retryable=True)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | ValueError):
        return http_error(url, "is not a valid web address", "refused")
    if isinstance(error, requests.exceptions.ConnectionError) and isinstance(
        next(iter(error.args), None), urllib3.exceptions.ProtocolError
    ):
        # Somebody is there.
        return http_error(url, "was cut off before an answer came", "truncated", retryable=True)
    if isinstance(error, requests.exceptions.ConnectionError | urllib3.exceptions.NewConnectionError) and not received:
        message = "could not be reached; check the address and your connection"
        return http_error(url, message, "unreachable", retryable=True)
    return http_error(url, "was cut off while it arrived", "truncated", retryable=True, received=received)


def check_status(url: str, response: requests.Response) -> None:
    """Raises:
    HttpError: for anything but 200 and 206.
    """
    status = response.status_code
    if status in (200, 206):
        return
    wait_s = retry_after_s(response.headers.get("retry-after"), time.time())
    if status in (404, 410):
        raise http_error(url, f"does not exist ({status})", "not_found", status=status)
    if status in (401, 403):
        message = (
            f"may not be read ({status}): it needs a login (try --cookies FILE), has expired (copy the link anew) or "
            f"is blocked from here"
        )
        raise http_error(url, message, "blocked", retryable=status == 403, status=status, retry_after_s=wait_s)
    if status == 451:
        raise http_error(url, "may not be watched from your country (451)", "geo_blocked", status=status)
    if status == 416:
        raise http_error(url, "is empty or shorter than it said", "no_range", status=status)
    if status == 429:
        message = "is asked too often (429); wait a while"
        raise http_error(url, message, "rate_limited", retryable=True, status=status, retry_after_s=wait_s)
    if status in (408, 425) or status >= 500:
        message = f"cannot be served just now ({status})"
        raise http_error(url, message, "server", retryable=True, status=status, retry_after_s=wait_s)
    raise http_error(url, f"was answered with status {status}", "failed", status=status)


def check_range(url: str, response: requests.Response, wanted: str) -> None:
    """Check that an answer holds the beginning of a range.

    Args:
        url: for the sentence.
        response: of status 200 or 206.
        wanted: the Range header that was sent.

    Raises:
        HttpError: when it is another one, or the whole file (outcome "no_range").
    """
    first, last = (int(number) for number in wanted.removeprefix("bytes=").split("-"))
    got = _content_range(response.headers)
    if response.status_code == 206 and got is not None and got[0] == first and got[1] <= last:
        return
    whole = integer(response.headers.get("content-length"))
    if response.status_code == 200 and first == 0 and whole is not None and whole == last + 1:
        return
    raise http_error(url, "cannot be read in parts from this server", "no_range", status=response.status_code)


def whole_size(headers: Mapping[str, str], status: int) -> int | None:
    """Bytes of the whole resource, None when the server does not say."""
    if status == 206:
        got = _content_range(headers)
        return got[2] if got else None
    return None if "content-encoding" in headers else integer(headers.get("content-length"))


def integer(text: str | None) -> int | None:
    """The number that a header holds, None when it holds none."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text.strip()) else None


def retry_after_s(value: str | None, now_s: float) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date; 0 when absent or unreadable.

    Args:
        value: of the header.
        now_s: POSIX time.
    """
    if value is None:
        return 0.0
    if (seconds := integer(value)) is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _content_range(headers: Mapping[str, str]) -> tuple[int, int, int | None] | None:
    """First byte, last byte and whole size of a 206 answer."""
    match = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", headers.get("content-range", "").strip()
    )
    if match is None:
        return None
    return int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3])
