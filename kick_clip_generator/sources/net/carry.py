"""What a resolver and the user hand to requests: headers and cookies, each to whom it belongs and to nobody else.

A resolver's headers (`Referer`, tokens) go to the hosts of its renditions, by exact scheme, host and port. Cookies
follow the rules of browsers (RFC 6265): their own domain and path, and https where they are marked Secure. Both are
looked up anew for every request, so a redirect or a playlist that leads elsewhere takes nothing along.
"""

from __future__ import annotations

import http.cookiejar
import re
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlsplit

import requests
from requests.cookies import extract_cookies_to_jar

from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.netscape import PRINTABLE, cookie_of

_PORTS = {"http": 80, "https": 443}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# What the connection, the request or `sources.net.browser` decides.
_NOT_CARRIED = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "range", "if-range", "expect"}
    | {"accept-encoding", "proxy-authorization", "proxy-connection", "content-type"}
)

# A server that sets a cookie with every answer fills no memory, and no request that it then refuses as too long.
MOST_COOKIES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Carry:
    """Which headers and cookies go to which address.

    Attributes:
        headers: names and values; secret.
        origins: scheme, host and port of whom they go to.
        cookies: lines of a Netscape cookie file; secret.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    origins: frozenset[tuple[str, str, int]] = frozenset()
    cookies: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, source: Source, settings: Settings) -> Self:
        """For reading a resolved source.

        Raises:
            InputError: when the user's cookies cannot be read.
        """
        # The resolver's come last: they are newer, and the last of a name counts.
        cookies = (*_user_cookies(settings), *source.cookies)
        return cls(source.headers, _origins(source.renditions), cookies)

    @classmethod
    def of_settings(cls, settings: Settings) -> Self:
        """For resolving: only the user's own cookies.

        Raises:
            InputError: when they cannot be read.
        """
        return cls(cookies=_user_cookies(settings))

    def also_for(self, rendition: Rendition) -> Carry:
        """The same, for an address that the same resolver gave later, too."""
        return replace(self, origins=self.origins | _origins([rendition]))

    def headers_for(self, url: str) -> dict[str, str]:
        """What goes to an address; empty for hosts that are not the resolver's."""
        if not self.headers or _origin(url) not in self.origins:
            return {}
        return {name: value for name, value in self.headers if _is_sendable(name, value)}


class Cookies:
    """The cookies of one client: those of its carry, and what servers set since. May be used by several threads.

    Args:
        lines: of a Netscape cookie file; unreadable ones are left out.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        policy = http.cookiejar.DefaultCookiePolicy(
            strict_domain=True, strict_ns_domain=http.cookiejar.DefaultCookiePolicy.DomainStrictNonDomain
        )
        self._jar = http.cookiejar.CookieJar(policy)
        for line in lines:
            cookie = cookie_of(line)
            if cookie is not None:
                self._jar.set_cookie(cookie)
        self._most = len(self._jar) + MOST_COOKIES_KEPT

    def header_for(self, url: str) -> str:
        """The Cookie header for an address; empty when it gets none."""
        request = urllib.request.Request(url)
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie") or ""

    def keep(self, response: requests.Response) -> None:
        """Take what an answer sets, if its host may set it."""
        if "set-cookie" in response.headers and len(self._jar) < self._most:
            extract_cookies_to_jar(self._jar, response.request, response.raw)


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    return _origin(one) == _origin(other) is not None


def _user_cookies(settings: Settings) -> tuple[str, ...]:
    if settings.cookies_file is None and not settings.cookies_from_browser:
        return ()
    # A browser's cookies take tools that most runs never need.
    from kick_clip_generator.sources.platforms.cookies import user_cookies

    return user_cookies(settings)


def _is_sendable(name: str, value: str) -> bool:
    lower = name.lower()
    # `sources.net.browser` says how the request came about, in one voice.
    if lower in _NOT_CARRIED or lower.startswith("sec-"):
        return False
    return _TOKEN.fullmatch(name) is not None and PRINTABLE.fullmatch(value) is not None


def _origins(renditions: Iterable[Rendition]) -> frozenset[tuple[str, str, int]]:
    found = {_origin(url) for rendition in renditions for url in (rendition.url, rendition.audio_url) if url}
    return frozenset(origin for origin in found if origin is not None)


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in _PORTS or not host:
        return None
    return scheme, host, port or _PORTS[scheme]
