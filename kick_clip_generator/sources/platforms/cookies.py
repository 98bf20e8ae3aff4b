"""The user's own cookies, for streams that need a login: from a file, or from a browser on this computer.

Of everything that is in there, only what belongs to the platforms is kept (`HOSTS`); a browser's store is read by a
child process, which drops the rest before it answers. Cookies are secrets: their names and values stand in no message.
"""

from __future__ import annotations

import http.cookiejar
import logging
import re
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.netscape import cookie_of
from kick_clip_generator.sources.platforms.browser_cookies import POLL_S, read_browser
from kick_clip_generator.sources.safety import clean_text

# google.com holds the login of YouTube.
HOSTS = ("kick.com", "twitch.tv", "ttvnw.net", "youtube.com", "google.com", "googlevideo.com")

# Room for all cookies of a browser.
MAX_FILE_BYTES = 8_000_000
MAX_LINES = 50_000
MAX_KEPT = 2_000
BAD_BROWSER_S = 60.0

_HTTP_ONLY = "#HttpOnly_"
_DOMAIN = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_EXPIRES = re.compile(r"(-?\d{1,18}(\.\d{1,9})?)?", re.ASCII)
# RFC 6265 forbids more, but browsers hold it; these would forge a header or a line.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f;]")

log = logging.getLogger(__name__)

_lock = threading.Lock()
_files: dict[tuple[str, int, int], tuple[str, ...]] = {}
_browsers: dict[str, tuple[str, ...]] = {}
_bad_browsers: dict[str, tuple[float, InputError]] = {}


def user_cookies(settings: Settings, cancel: CancelToken | None = None) -> tuple[str, ...]:
    """The cookies that the user lends, as lines of a Netscape cookie file; empty when none were.

    A file is read again when it changes, a browser once per process.

    Raises:
        InputError: when they cannot be read; one sentence, without any of their content.
        Cancelled: when the token is up while a browser is read.
    """
    if settings.cookies_file is None and not settings.cookies_from_browser:
        return ()
    # Another thread may wait for a browser whose keyring asks for a password.
    while not _lock.acquire(timeout=POLL_S):
        if cancel is not None:
            cancel.check()
    try:
        if settings.cookies_file is not None:
            return _of_file(settings.cookies_file)
        return _of_browser(settings.cookies_from_browser, settings.resolve_timeout, cancel)
    finally:
        _lock.release()


def parse_cookies(text: str, shown: str) -> tuple[str, ...]:
    """Check a Netscape cookie file and keep the lines of the platforms.

    Args:
        text: lines of domain, subdomains, path, secure, expiry, name and value, separated by tabs; comments.
        shown: the name of the file, for messages.

    Raises:
        InputError: names the first line that is none, never its content.
    """
    kept: list[str] = []
    lines = text.splitlines()
    if text.lstrip()[:1] in ("{", "["):
        raise InputError(
            f"{shown} is no cookie file but JSON; export the cookies in the Netscape format (cookies.txt)."
        )
    if len(lines) > MAX_LINES:
        raise InputError(f"{shown} has more than {MAX_LINES:,} lines; export the cookies of one site only.")
    for number, raw in enumerate(lines, 1):
        line = raw.removeprefix(_HTTP_ONLY)
        if not line.strip() or line.startswith("#"):
            continue
        checked = _checked(line)
        if checked is None:
            raise InputError(
                f"Line {number} of {shown} is no cookie (seven values separated by tabs); export the file again in the "
                f"Netscape format (cookies.txt), and do not edit it."
            )
        if is_platform(checked.partition("\t")[0]):
            kept.append(checked)
    return tuple(kept[:MAX_KEPT])


def is_platform(domain: str) -> bool:
    """Whether a cookie's domain belongs to one of `HOSTS`."""
    name = domain.lstrip(".").lower()
    return any(name == host or name.endswith(f".{host}") for host in HOSTS)


def jar_of(lines: Iterable[str]) -> http.cookiejar.CookieJar:
    """A jar that knows which cookie goes where; what has expired is left out."""
    jar = http.cookiejar.CookieJar()
    for line in lines:
        cookie = cookie_of(line)
        if cookie is not None and not cookie.is_expired():
            jar.set_cookie(cookie)
    return jar


def lines_of(jar: Iterable[http.cookiejar.Cookie]) -> tuple[str, ...]:
    """The cookies of the platforms in a jar, as lines of a Netscape cookie file; odd ones are left out."""
    lines = (
        "\t".join(
            (
                cookie.domain,
                _word(cookie.domain_specified or cookie.domain.startswith(".")),
                cookie.path,
                _word(cookie.secure),
                str(cookie.expires or 0),
                cookie.name,
                cookie.value or "",
            )
        )
        for cookie in jar
        if is_platform(cookie.domain)
    )
    return tuple(line for line in lines if _checked(line) == line)[:MAX_KEPT]


def _checked(line: str) -> str | None:
    """A line in its strict form; None when it is no cookie."""
    fields = line.rstrip("\r\n").split("\t")
    if len(fields) == 6:
        # Editors cut the tab before an empty value.
        fields.append("")
    if len(fields) != 7:
        return None
    domain, subdomains, path, secure, expires, name, value = fields
    good = (
        _DOMAIN.fullmatch(domain)
        and len(domain) <= 255
        and subdomains.upper() in ("TRUE", "FALSE")
        and path.startswith("/")
        and secure.upper() in ("TRUE", "FALSE")
        and _EXPIRES.fullmatch(expires)
        and name
        and len(line) <= 16_384
        and not any(_UNSAFE.search(part) for part in (path, name, value))
    )
    return "\t".join((domain, subdomains.upper(), path, secure.upper(), expires, name, value)) if good else None


def _of_file(path: Path) -> tuple[str, ...]:
    shown = clean_text(path.name, 100) or "The cookie file"
    try:
        path = path.expanduser()
        facts = path.stat()
        key = (str(path.resolve()), facts.st_mtime_ns, facts.st_size)
        if key in _files:
            return _files[key]
        if not path.is_file():
            raise InputError(f"{shown} is no file; give --cookies a cookies.txt that a browser exported.")
        if facts.st_size > MAX_FILE_BYTES:
            raise InputError(
                f"{shown} is {facts.st_size:,} bytes large, too much for cookies; give --cookies a cookies.txt that a "
                f"browser exported."
            )
        text = path.read_bytes()[:MAX_FILE_BYTES].decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"There is no cookie file {shown}; check COOKIES_FILE or --cookies.") from None
    except UnicodeDecodeError:
        raise InputError(f"{shown} is no text file; give --cookies a cookies.txt that a browser exported.") from None
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "its name is not valid"
        raise InputError(f"The cookie file {shown} cannot be read ({why}); check its permissions.") from None
    cookies = parse_cookies(text, shown)
    if not cookies:
        log.warning("%s holds no cookies of Kick, Twitch or YouTube; log in there and export them again.", shown)
    _files.clear()
    _files[key] = cookies
    return cookies


def _of_browser(name: str, timeout_s: float, cancel: CancelToken | None) -> tuple[str, ...]:
    if name in _browsers:
        return _browsers[name]
    # A locked store asks its owner for a password each time.
    since_s, failure = _bad_browsers.get(name, (-BAD_BROWSER_S, None))
    if failure is not None and time.monotonic() - since_s < BAD_BROWSER_S:
        raise InputError(str(failure))
    try:
        text = read_browser(name, HOSTS, timeout_s, cancel)
        cookies = parse_cookies(text, "The browser's answer")
    except InputError as error:
        _bad_browsers[name] = (time.monotonic(), error)
        raise
    if not cookies:
        log.warning("The browser holds no cookies of Kick, Twitch or YouTube; log in there with it first.")
    _browsers[name] = cookies
    return cookies


def _word(value: bool) -> str:
    return "TRUE" if value else "FALSE"
