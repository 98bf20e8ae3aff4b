"""Fetching with patience: retries, one browser after another, limits, and everything counted.

ffmpeg and most download tools call a truncated or refused segment a success and silently lose media; here a body is
complete or the call fails. Every wait has a time limit and looks at the cancel token.
"""

from __future__ import annotations

import http.cookiejar
import logging
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.answers import (
    HttpError,
    Reply,
    check_range,
    check_status,
    http_error,
    integer,
    transport_error,
    whole_size,
)
from kick_clip_generator.sources.net.authorities import own_authority
from kick_clip_generator.sources.net.browser import IDENTITY, browser_headers
from kick_clip_generator.sources.net.carry import Carry, Cookies, same_origin
from kick_clip_generator.sources.net.connection import GuardedAdapter, OpenSockets, release
from kick_clip_generator.sources.net.patience import Patience
from kick_clip_generator.sources.net.traffic import Meter, Traffic
from kick_clip_generator.sources.safety import check_url

__all__ = ["DEFAULT_CAP_BYTES", "HttpClient", "HttpError", "Reply", "Traffic"]

log = logging.getLogger(__name__)

DEFAULT_CAP_BYTES = 16 * 2**20
MAX_REDIRECTS = 10
# A server that drips bytes never trips the timeout between two of them. Half of what the poorest audio stream needs.
MIN_BYTES_PER_S = 2000.0
POLL_S = 0.1
_READ_BYTES = 2**16

# What a caller asks for wherever a redirect leads; its other headers may be secret, and stay with the first host.
_HARMLESS = frozenset({"range", "if-range", "accept", "accept-encoding"})

# An attempt is told how often its client was refused before, which chooses the user agent.
Attempt = Callable[[int], Reply]


class HttpClient:
    """GET requests for one source; may be used by several threads.

    Args:
        settings: retries, backoff, time limits, user agents and allowed private hosts.
        cancel: checked before, between and during requests.
        carry: headers and cookies, and who gets them.
    """

    def __init__(self, settings: Settings, cancel: CancelToken | None = None, carry: Carry | None = None) -> None:
        self._settings = settings
        self._cancel = cancel
        self._carry = carry or Carry()
        self._cookies = Cookies(self._carry.cookies)
        self._closed = threading.Event()
        self._sockets = OpenSockets()
        self._meter = Meter()
        self._turn = 0
        self._hosts_that_answered: set[str] = set()
        self._session = requests.Session()
        # No proxy and no .netrc: a proxy would connect past the address check, .netrc would hand out credentials.
        self._session.trust_env = False
        self._session.verify = own_authority() or True
        # Ours alone count: its own headers name no browser, and its jar is not made for several threads.
        self._session.headers.clear()
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
        allowed = [host.strip("[]").rstrip(".").lower() for host in settings.allowed_private_hosts]
        adapter = GuardedAdapter(allowed, self._sockets, connections=settings.prefetch_segments + 2)
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

    @property
    def traffic(self) -> Traffic:
        """What was asked of servers so far."""
        return self._meter.read()

    def trust(self, rendition: Rendition) -> None:
        """Let the resolver's headers go to the hosts of a rendition that it gave later, too."""
        self._carry = self._carry.also_for(rendition)

    def get(
        self,
        url: str,
        *,
        byte_range: tuple[int, int] | None = None,
        cap: int = DEFAULT_CAP_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Fetch a resource, or `[first, stop)` of it, completely.

        A range that breaks off is resumed where it stopped. A body of 0 bytes is complete where the server says so.

        Raises:
            SourceError: when it cannot be had complete, is larger than `cap` bytes, or a range is asked of a server
                that has none (outcome "no_range").
            Cancelled: when the cancel token is up.
        """
        received = b""

        def attempt(turn: int) -> Reply:
            nonlocal received
            if byte_range is None:
                return self._fetch(url, {**(headers or {})}, cap, turn)
            first, stop = byte_range[0] + len(received), byte_range[1]
            wanted = {**(headers or {}), "Range": f"bytes={first}-{stop - 1}", "Accept-Encoding": "identity"}
            try:
                reply = self._fetch(url, wanted, stop - first, turn, ranged=True)
                if first + len(reply.body) < min(stop, reply.size or stop):
                    # Servers may send less of a range than was asked; the rest is asked for like after a drop.
                    what = "was cut off while it arrived"
                    raise http_error(url, what, "truncated", retryable=True, received=reply.body)
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
            return self._patiently(url, lambda turn: self._fetch(url, headers, size, turn, stop_at_cap=True))
        except HttpError as error:
            if error.status != 416:
                raise
            raise http_error(url, "is empty (0 bytes)", "not_media") from None

    def _patiently(self, url: str, attempt: Attempt) -> Reply:
        """Repeat an attempt while there is hope, as the next browser after each refusal."""
        patience = Patience(self._settings, len(self._agents(url)))
        while True:
            self._check()
            turn = self._turn
            try:
                return attempt(turn)
            except HttpError as error:
                self._check()
                if error.outcome == "blocked" and self._turn == turn:
                    # Once for all threads that were refused as the same one.
                    self._turn = turn + 1
                wait_s = patience.wait_s(error, known=(urlsplit(url).hostname or "") in self._hosts_that_answered)
                if wait_s is None:
                    raise
                log.info("%s Trying again in %.1f s.", error, wait_s)
                self._wait(wait_s)
                self._meter.add(retries=1)

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
        self,
        url: str,
        asked: dict[str, str],
        cap: int,
        turn: int,
        *,
        ranged: bool = False,
        stop_at_cap: bool = False,
    ) -> Reply:
        """One attempt, through its redirects."""
        beginning = url
        for _ in range(MAX_REDIRECTS + 1):
            check_url(url)
            if not same_origin(url, beginning):
                asked = {name: value for name, value in asked.items() if name.lower() in _HARMLESS}
            # Without an answer there is nothing to close.
            response = self._open(url, self._headers(url, asked, turn))
            try:
                self._hosts_that_answered.add(urlsplit(url).hostname or "")
                self._cookies.keep(response)
                if not response.is_redirect:
                    check_status(url, response)
                    if ranged:
                        check_range(url, response, asked["Range"])
                    return self._body(url, response, cap, resumable=ranged, stop_at_cap=stop_at_cap)
                try:
                    url = urljoin(url, self._session.get_redirect_target(response) or "")
                except ValueError:
                    raise http_error(url, "redirects to an invalid address", "redirects") from None
            finally:
                release(response)
        raise http_error(url, f"redirects more than {MAX_REDIRECTS} times", "redirects")

    def _agents(self, url: str) -> tuple[str, ...]:
        """The user agents for an address, the resolver's own first."""
        carried = CaseInsensitiveDict(self._carry.headers_for(url)).get("user-agent")
        others = tuple(agent for agent in self._settings.user_agents if agent != carried)
        return (carried, *others) if carried else others

    def _headers(self, url: str, asked: Mapping[str, str], turn: int) -> MutableMapping[str, str]:
        carried = CaseInsensitiveDict(self._carry.headers_for(url))
        agents = self._agents(url)
        agent = agents[turn % len(agents)]
        page = carried.get("origin") or carried.get("referer") or ""
        headers = CaseInsensitiveDict(browser_headers(agent, url, page=page, cors="origin" in carried))
        # A resolver's headers say who it seemed to be, too; as another browser we are that one throughout.
        itself = agent == carried.get("user-agent", agent)
        headers.update({name: value for name, value in carried.items() if itself or name.lower() not in IDENTITY})
        headers.update(asked)
        cookies = "; ".join(part for part in (self._cookies.header_for(url), headers.pop("cookie", "")) if part)
        return {**headers, **({"Cookie": cookies} if cookies else {})}

    def _open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        self._meter.add(requests=1)
        timeouts_s = (self._settings.connect_timeout, self._settings.request_timeout)
        try:
            return self._session.get(url, headers=headers, timeout=timeouts_s, stream=True, allow_redirects=False)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise transport_error(url, error) from None

    def _body(self, url: str, response: requests.Response, cap: int, *, resumable: bool, stop_at_cap: bool) -> Reply:
        length = integer(response.headers.get("content-length"))
        if length is not None and length > cap and not stop_at_cap:
            raise http_error(url, f"is {length:,} bytes large where at most {cap:,} were expected", "too_large")
        body = bytearray()
        started = time.monotonic()
        grace_s = 2 * self._settings.request_timeout
        try:
            while piece := response.raw.read1(_READ_BYTES, decode_content=True):
                self._check()
                body += piece
                if len(body) > cap or (stop_at_cap and len(body) == cap):
                    if not stop_at_cap:
                        raise http_error(url, f"sends more than the {cap:,} bytes that were expected", "too_large")
                    del body[cap:]
                    break
                elapsed_s = time.monotonic() - started
                if elapsed_s > grace_s and len(body) < min(MIN_BYTES_PER_S * elapsed_s, length or cap):
                    received = bytes(body) if resumable else b""
                    raise http_error(url, "answers too slowly", "timeout", retryable=True, received=received)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._check()
            raise transport_error(url, error, received=bytes(body) if resumable else b"") from None
        finally:
            self._meter.add(bytes_read=response.raw.tell())
        size = whole_size(response.headers, response.status_code)
        return Reply(url, response.status_code, response.headers, bytes(body), size)
