"""Fetching with patience: retries, user agents, limits, and one sentence for every way it can fail.

ffmpeg and most download tools call a truncated or refused segment a success and silently lose media; here a body is
complete or the call fails. Every wait has a time limit and looks at the cancel token.
"""

from __future__ import annotations

import email.utils
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from kick_clip_generator.core.errors import Cancelled, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.connection import GuardedAdapter, OpenSockets
from kick_clip_generator.sources.safety import check_url, clean_text, redact

log = logging.getLogger(__name__)

DEFAULT_CAP_BYTES = 16 * 2**20
MAX_REDIRECTS = 10
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 60.0
# A server that drips bytes never trips the timeout between two of them. Half of what the poorest audio stream needs.
MIN_BYTES_PER_S = 2000.0
POLL_S = 0.1
_READ_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete (or, for `peek`, a cut off) answer.

    Attributes:
        url: where it came from, after redirects; signed as it was, so never to be shown.
        status: 200 or 206.
        headers: names in any case.
        body: decoded.
        size: bytes of the whole resource, None when the server does not say.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int | None


class HttpError(SourceError):
    """A request that failed, with what the retry loop needs to know."""

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


class HttpClient:
    """GET requests for one source; may be used by several threads.

    Args:
        settings: retries, backoff, timeout, user agents and allowed private hosts.
        cancel: checked before, between and during requests.
    """

    def __init__(self, settings: Settings, cancel: CancelToken | None = None) -> None:
        self._settings = settings
        self._cancel = cancel
        self._closed = threading.Event()
        self._sockets = OpenSockets()
        self._agent = 0
        self._hosts_that_answered: set[str] = set()
        self._session = requests.Session()
        # No proxy and no .netrc: a proxy would connect past the address check, .netrc would hand out credentials.
        self._session.trust_env = False
        allowed = [host.strip("[]").rstrip(".").lower() for host in settings.allowed_private_hosts]
        adapter = GuardedAdapter(allowed, self._sockets, connections=max(4, settings.max_workers + 1))
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        # It logs whole URLs, with their signatures.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        if cancel is not None:
            threading.Thread(target=self._watch, args=(cancel,), name="http-cancel", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all transfers, also those of other threads."""
        self._closed.set()
        self._sockets.shut_down()
        self._session.close()

    def get(
        self,
        url: str,
        *,
        byte_range: tuple[int, int] | None = None,
        cap: int = DEFAULT_CAP_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Fetch a resource, or `[first, stop)` of it, completely.

        A range that breaks off is resumed where it stopped.

        Raises:
            SourceError: when it cannot be had complete, is larger than `cap` bytes, or a range is asked of a server
                that has none (outcome "no_range").
            Cancelled: when the cancel token is up.
        """
        received = b""

        def attempt() -> Reply:
            nonlocal received
            if byte_range is None:
                return self._fetch(url, {**(headers or {})}, cap)
            first, stop = byte_range[0] + len(received), byte_range[1]
            wanted = {**(headers or {}), "Range": f"bytes={first}-{stop - 1}", "Accept-Encoding": "identity"}
            try:
                reply = self._fetch(url, wanted, stop - first, ranged=True)
                if first + len(reply.body) < min(stop, reply.size or stop):
                    # Servers may send less of a range than was asked; the rest is asked for like after a drop.
                    raise _error(url, "was cut off while it arrived", "truncated", retryable=True, received=reply.body)
            except HttpError as error:
                received += error.received
                raise
            return Reply(reply.url, reply.status, reply.headers, received + reply.body, reply.size)

        return self._patiently(url, attempt)

    def get_bytes(self, url: str, byte_range: tuple[int, int] | None = None, cap: int = DEFAULT_CAP_BYTES) -> bytes:
        """The body of `get`."""
        return self.get(url, byte_range=byte_range, cap=cap).body

    def peek(self, url: str, size: int) -> Reply:
        """The first `size` bytes, whether the server has ranges (status 206) or not (200)."""
        headers = {"Range": f"bytes=0-{size - 1}", "Accept-Encoding": "identity"}
        try:
            return self._patiently(url, lambda: self._fetch(url, headers, size, stop_at_cap=True))
        except HttpError as error:
            if error.status != 416:
                raise
            raise _error(url, "is empty (0 bytes)", "not_media") from None

    def _patiently(self, url: str, attempt: Callable[[], Reply]) -> Reply:
        """Repeat an attempt while there is hope: `max_retries` times, one user agent after another on a refusal."""
        failures = 0
        while True:
            self._check()
            try:
                return attempt()
            except HttpError as error:
                self._check()
                if not error.retryable or failures >= self._patience(url, error):
                    raise
                if error.outcome == "blocked":
                    self._agent += 1
                wait_s = max(self._backoff_s(failures), min(error.retry_after_s, MAX_WAIT_S))
                failures += 1
                log.info("%s Trying again in %.1f s (%d).", error, wait_s, failures)
                self._wait(wait_s)

    def _patience(self, url: str, error: HttpError) -> int:
        if error.outcome == "blocked":
            return min(self._settings.max_retries, len(self._settings.user_agents) - 1)
        if error.outcome == "unreachable" and urlsplit(url).hostname not in self._hosts_that_answered:
            # Most likely misspelt; somebody is waiting for an answer.
            return min(self._settings.max_retries, 1)
        return self._settings.max_retries

    def _backoff_s(self, failures: int) -> float:
        longest = min(FIRST_WAIT_S * self._settings.backoff_factor**failures, MAX_WAIT_S)
        # Jitter keeps parallel fetches from returning all at once.
        return longest * random.uniform(0.5, 1.0)

    def _wait(self, wait_s: float) -> None:
        until = time.monotonic() + wait_s
        while (left := until - time.monotonic()) > 0:
            self._closed.wait(min(POLL_S, left))
            self._check()

    def _check(self) -> None:
        if self._cancel is not None:
            self._cancel.check()
        if self._closed.is_set():
            raise Cancelled("The reader was closed while it fetched.")

    def _watch(self, cancel: CancelToken) -> None:
        while not self._closed.wait(POLL_S):
            if cancel.cancelled:
                self._sockets.shut_down()
                return

    def _fetch(
        self, url: str, headers: dict[str, str], cap: int, *, ranged: bool = False, stop_at_cap: bool = False
    ) -> Reply:
        """One attempt, through its redirects."""
        for _ in range(MAX_REDIRECTS + 1):
            check_url(url)
            # Without an answer there is nothing to close.
            response = _translated(url, lambda: self._open(url, headers))  # noqa: B023 - called at once
            try:
                self._hosts_that_answered.add(urlsplit(url).hostname or "")
                if not response.is_redirect:
                    _check_status(url, response)
                    if ranged:
                        _check_range(url, response, headers["Range"])
                    return self._body(url, response, cap, stop_at_cap)
                try:
                    url = urljoin(url, self._session.get_redirect_target(response) or "")
                except ValueError:
                    raise _error(url, "redirects to an invalid address", "redirects") from None
            finally:
                response.close()
        raise _error(url, f"redirects more than {MAX_REDIRECTS} times", "redirects")

    def _open(self, url: str, headers: dict[str, str]) -> requests.Response:
        agents = self._settings.user_agents
        timeout_s = self._settings.request_timeout
        return self._session.get(
            url,
            headers={"User-Agent": agents[self._agent % len(agents)], "Accept-Encoding": "gzip, deflate", **headers},
            timeout=(timeout_s, timeout_s),
            stream=True,
            allow_redirects=False,
        )

    def _body(self, url: str, response: requests.Response, cap: int, stop_at_cap: bool) -> Reply:
        size = _size(response.headers, response.status_code)
        length = _integer(response.headers.get("content-length"))
        if length is not None and length > cap and not stop_at_cap:
            raise _error(url, f"is {length:,} bytes large where at most {cap:,} were expected", "too_large")
        body = bytearray()
        started = time.monotonic()
        grace_s = 2 * self._settings.request_timeout
        try:
            while piece := response.raw.read1(_READ_BYTES, decode_content=True):
                self._check()
                body += piece
                if len(body) > cap or (stop_at_cap and len(body) == cap):
                    if not stop_at_cap:
                        raise _error(url, f"sends more than the {cap:,} bytes that were expected", "too_large")
                    del body[cap:]
                    break
                elapsed_s = time.monotonic() - started
                if elapsed_s > grace_s and len(body) < min(MIN_BYTES_PER_S * elapsed_s, length or cap):
                    raise _error(url, "answers too slowly", "timeout", retryable=True, received=bytes(body))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._check()
            raise _transport_error(url, error, received=bytes(body)) from None
        return Reply(url, response.status_code, response.headers, bytes(body), size)


def _translated(url: str, call: Callable[[], requests.Response]) -> requests.Response:
    try:
        return call()
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # Not chained: the causes quote the whole URL.
        raise _transport_error(url, error) from None


def _transport_error(url: str, error: Exception, received: bytes = b"") -> HttpError:
    host = urlsplit(url).hostname
    text = str(error)
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return _error(url, "did not answer in time", "timeout", retryable=True, received=received)
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return _error(url, "has no valid TLS certificate, so it is not trusted", "tls")
        return _error(url, "breaks off the TLS connection", "tls", retryable=True, received=received)
    if "NameResolutionError" in text or "Failed to resolve" in text:
        message = f"The host {clean_text(str(host), 100)} cannot be found; check the address and your connection."
        return HttpError(message, outcome="unreachable", retryable=True)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | ValueError):
        return _error(url, "is not a valid web address", "refused")
    if isinstance(error, requests.exceptions.ConnectionError | urllib3.exceptions.NewConnectionError) and not received:
        return _error(url, "could not be reached; check the address and your connection", "unreachable", retryable=True)
    return _error(url, "was cut off while it arrived", "truncated", retryable=True, received=received)


def _check_status(url: str, response: requests.Response) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    retry_after_s = _retry_after_s(response.headers.get("retry-after"))
    if status in (404, 410):
        raise _error(url, f"does not exist ({status})", "not_found", status=status)
    if status in (401, 403):
        message = f"may not be read ({status}): it needs a login, has expired or is blocked from here"
        raise _error(url, message, "blocked", retryable=status == 403, status=status, retry_after_s=retry_after_s)
    if status == 416:
        raise _error(url, "is empty or shorter than it said", "no_range", status=status)
    if status == 429:
        message = "is asked too often (429); wait a while"
        raise _error(url, message, "rate_limited", retryable=True, status=status, retry_after_s=retry_after_s)
    if status in (408, 425) or status >= 500:
        message = f"cannot be served just now ({status})"
        raise _error(url, message, "server", retryable=True, status=status, retry_after_s=retry_after_s)
    raise _error(url, f"was answered with status {status}", "failed", status=status)


def _check_range(url: str, response: requests.Response, wanted: str) -> None:
    first, last = (int(number) for number in wanted.removeprefix("bytes=").split("-"))
    got = _content_range(response.headers)
    if response.status_code == 206 and got is not None and got[0] == first and got[1] <= last:
        return
    whole = _integer(response.headers.get("content-length"))
    if response.status_code == 200 and first == 0 and whole is not None and whole == last + 1:
        return
    raise _error(url, "cannot be read in parts from this server", "no_range", status=response.status_code)


def _content_range(headers: Mapping[str, str]) -> tuple[int, int, int | None] | None:
    """First byte, last byte and whole size of a 206 answer."""
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", headers.get("content-range", "").strip())
    if match is None:
        return None
    return int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3])


def _size(headers: Mapping[str, str], status: int) -> int | None:
    if status == 206:
        got = _content_range(headers)
        return got[2] if got else None
    return None if "content-encoding" in headers else _integer(headers.get("content-length"))


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,18}", text.strip()) else None


def _retry_after_s(value: str | None) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date; 0 when absent or unreadable."""
    if value is None:
        return 0.0
    if (seconds := _integer(value)) is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0


def _error(url: str, what: str, outcome: str, **details: Any) -> HttpError:
    return HttpError(f"{redact(url)} {what}.", outcome=outcome, **details)
