"""Requests to Kick's own servers, as a browser would make them down to the TLS handshake.

Kick's guard refuses clients whose handshake is not a browser's, so these requests go out through curl_cffi, and only to
the three hosts of `API_HOSTS`. Media and playlists never do: the guarded `HttpClient` reads them. Unlike that one, this
client honors the proxy and the certificate authorities of the environment: the hosts are fixed, and TLS proves who
answers.
"""

from __future__ import annotations

import logging
import random
import re
import time
import urllib.request
from collections.abc import Iterable
from http.cookiejar import Cookie
from typing import Any, Self
from urllib.parse import unquote, urljoin, urlsplit

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.authorities import own_authority
from kick_clip_generator.sources.platforms.cookies import jar_of, lines_of
from kick_clip_generator.sources.platforms.kick_answers import parse_json
from kick_clip_generator.sources.platforms.kick_failures import KickFailure, RawAnswer, check_answer, transport_failure
from kick_clip_generator.sources.platforms.kick_thread import POLL_S, Worker

API_HOSTS = frozenset({"kick.com", "web.kick.com", "mobile.kick.com"})

# The newest version of each that curl_cffi knows. A new one each time the one before is refused.
TARGETS = ("chrome", "safari", "firefox", "chrome_android")

# Room for a page with all the data in its scripts; JSON is far smaller.
MAX_ANSWER_BYTES = 4_000_000
MAX_REDIRECTS = 5
MAX_TIMEOUT_S = 15.0
MAX_TRIES = 3
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 8.0

# libcurl's word for "stop this transfer"; curl_cffi has it, but not under a public name.
_STOP = 0xFFFFFFFF

log = logging.getLogger(__name__)


class KickApi:
    """JSON and pages of Kick, for one inquiry; used by one thread.

    Transfers run in a daemon thread of their own: libcurl cannot be interrupted from outside, so a cancelled run leaves
    that thread behind, and it ends with its transfer's time limit. A child process would import curl_cffi anew for each
    link, 0.3 s.

    Args:
        settings: timeouts, retries and backoff.
        cookies: the user's, as lines of a Netscape cookie file.
        cancel: looked at ten times a second.
        referer: the page that a browser would be on.
    """

    def __init__(
        self,
        settings: Settings,
        cookies: tuple[str, ...] = (),
        cancel: CancelToken | None = None,
        *,
        referer: str = "https://kick.com/",
    ) -> None:
        self._settings = settings
        self._cancel = cancel
        self._referer = referer
        self._jar = jar_of(line for line in cookies if _is_kick(line.partition("\t")[0]))
        self._bearer = _bearer(self._jar)
        self._worker = Worker()
        self._sessions: dict[str, Any] = {}
        self._target = 0
        self._refused: set[str] = set()
        self._give_up_at = time.monotonic() + settings.resolve_timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections, as soon as none of them is in use."""
        self._worker.finish(lambda: [session.close() for session in self._sessions.values()])

    def json(self, url: str, what: str, *, body: Any = None) -> Any:
        """A JSON value, of a GET, or of a POST of `body`.

        Args:
            what: names it in messages.

        Raises:
            SourceError: when there is none.
            Cancelled: when the cancel token is up.
        """
        return parse_json(self._patiently(url, what, body, script=True), what)

    def page(self, url: str, what: str) -> bytes:
        """A page, as when its address is opened in a browser.

        Raises:
            SourceError: when it cannot be had.
            Cancelled: when the cancel token is up.
        """
        return self._patiently(url, what, None, script=False)

    def _patiently(self, url: str, what: str, body: Any, *, script: bool) -> bytes:
        tries = 0
        while True:
            try:
                return self._once(url, what, body, script)
            except KickFailure as failure:
                tries += 1
                if not self._worth_another(url, failure, tries):
                    raise
                log.info("%s Trying again (%d).", failure, tries)
                longest_s = min(FIRST_WAIT_S * self._settings.backoff_factor ** (tries - 1), MAX_WAIT_S)
                self._wait(max(random.uniform(0.5, 1.0) * longest_s, failure.wait_s))

    @property
    def cookies(self) -> tuple[str, ...]:
        """All cookies of Kick, the user's and those that it set, as lines of a Netscape cookie file."""
        jars = [session.cookies.jar for session in self._sessions.values()] or [self._jar]
        lines = dict.fromkeys(line for jar in jars for line in lines_of(jar))
        return tuple(line for line in lines if _is_kick(line.partition("\t")[0]))

    def _worth_another(self, url: str, failure: KickFailure, tries: int) -> bool:
        if time.monotonic() + failure.wait_s >= self._give_up_at:
            return False
        host = urlsplit(url).hostname or ""
        if failure.outcome == "blocked":
            # Once all browsers were refused by a host, each of its other addresses is asked once.
            if host in self._refused or tries >= min(len(TARGETS), self._settings.max_retries + 1):
                self._refused.add(host)
                return False
            self._target += 1
            return True
        hopeful = failure.outcome in ("timeout", "server", "unreachable", "rate_limited")
        return hopeful and tries < min(MAX_TRIES, self._settings.max_retries + 1)

    def _once(self, url: str, what: str, body: Any, script: bool) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            raw = self._send(url, what, body, script)
            if raw.status not in (301, 302, 303, 307, 308):
                check_answer(raw, what)
                return raw.body
            url = urljoin(url, raw.location)
            if body is not None and raw.status not in (307, 308):
                body = None
        raise KickFailure(f"Kick redirects more than {MAX_REDIRECTS} times for {what}.", outcome="redirects")

    def _send(self, url: str, what: str, body: Any, script: bool) -> RawAnswer:
        _require_api_host(url, what)
        left_s = self._give_up_at - time.monotonic()
        if left_s <= 0:
            raise KickFailure(
                f"Kick took longer than {self._settings.resolve_timeout:g} s in all; try again, or raise "
                f"RESOLVE_TIMEOUT.",
                outcome="timeout",
            )
        timeout_s = max(0.1, min(MAX_TIMEOUT_S, self._settings.request_timeout, left_s))
        target = TARGETS[self._target % len(TARGETS)]
        headers = self._headers(url, posts=body is not None) if script else {}
        return self._worker.run(lambda: self._transfer(url, what, body, headers, target, timeout_s), self._cancel)

    def _headers(self, url: str, *, posts: bool) -> dict[str, str | None]:
        """Where a request of the page's script differs from one that opens a page, which curl_cffi knows by itself."""
        headers: dict[str, str | None] = {
            "Accept": "application/json",
            "Accept-Language": "en-US,en;q=0.9",
            "Referer": self._referer,
            "Upgrade-Insecure-Requests": None,
            "Sec-Fetch-User": None,
            "Sec-Fetch-Dest": "empty",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Site": "same-origin" if urlsplit(url).hostname == "kick.com" else "same-site",
        }
        if posts or urlsplit(url).hostname != "kick.com":
            headers["Origin"] = "https://kick.com"
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer}"
        return headers

    def _transfer(
        self, url: str, what: str, body: Any, headers: dict[str, str | None], target: str, timeout_s: float
    ) -> RawAnswer:
        """One request, in the worker's thread."""
        from curl_cffi import CurlError
        from curl_cffi import requests as curl

        session = self._sessions.get(target)
        if session is None:
            session = self._sessions[target] = curl.Session(
                impersonate=target, proxies=_proxies(), verify=_verify(), trust_env=False
            )
            for cookie in self._jar:
                session.cookies.jar.set_cookie(cookie)
        received = bytearray()

        def take(piece: bytes) -> int:
            received.extend(piece)
            return len(piece) if len(received) <= MAX_ANSWER_BYTES else _STOP

        try:
            reply = session.request(
                "GET" if body is None else "POST",
                url,
                headers=headers,
                json=body,
                timeout=timeout_s,
                allow_redirects=False,
                content_callback=take,
            )
        except CurlError as error:
            if len(received) > MAX_ANSWER_BYTES:
                message = f"Kick's answer about {what} is larger than {MAX_ANSWER_BYTES:,} bytes."
                raise KickFailure(message, outcome="too_large") from None
            raise transport_failure(curl.exceptions, error, what) from None
        location, retry_after = (reply.headers.get(name) or "" for name in ("location", "retry-after"))
        return RawAnswer(reply.status_code, bytes(received), location, retry_after)

    def _wait(self, wait_s: float) -> None:
        until = time.monotonic() + wait_s
        while (left_s := until - time.monotonic()) > 0:
            if self._cancel is not None:
                self._cancel.check()
            time.sleep(min(POLL_S, left_s))


def _require_api_host(url: str, what: str) -> None:
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "https" and parts.port in (None, 443) and parts.username is None
        trusted = plain and parts.hostname in API_HOSTS
    except ValueError:
        trusted = False
    if not trusted:
        raise KickFailure(f"Kick sends the request about {what} to a place that is not Kick's.", outcome="redirects")


def _is_kick(domain: str) -> bool:
    return f".{domain.lstrip('.').lower()}".endswith(".kick.com")


def _bearer(jar: Iterable[Cookie]) -> str:
    """The token that the site's script takes out of a cookie; empty when nobody is logged in."""
    tokens = (unquote(cookie.value or "") for cookie in jar if cookie.name == "session_token")
    # It becomes part of a header.
    return next((token for token in tokens if re.fullmatch(r"[\x21-\x7e]{1,4096}", token)), "")


def _proxies() -> Any:
    # curl_cffi's own type for it is private.
    found = urllib.request.getproxies()
    return {scheme: found[scheme] for scheme in ("https", "all") if found.get(scheme)}


def _verify() -> Any:
    # curl_cffi's types know no path. True: its own list.
    return own_authority() or True
