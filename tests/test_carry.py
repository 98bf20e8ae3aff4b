"""Headers and cookies go to whom they belong, and to nobody else."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.carry import MOST_COOKIES_KEPT, Carry, Cookies
from kick_clip_generator.sources.net.http import HttpClient
from tests.origin import Origin, Reply, Seen

SECRET = "s3cret"


def _source(*, headers: tuple[tuple[str, str], ...] = (), cookies: tuple[str, ...] = (), audio_url: str = "") -> Source:
    rendition = Rendition("https://cdn.example.com/a.m3u8", audio_url=audio_url)
    return Source("https://kick.com/x", "hls", "x", math.nan, "f", (rendition,), headers=headers, cookies=cookies)


def _line(domain: str, *, path: str = "/", secure: bool = False, expires: str = "0", name: str = "sid") -> str:
    words = (domain, "TRUE" if domain.startswith(".") else "FALSE", path, "TRUE" if secure else "FALSE")
    return "\t".join((*words, expires, name, SECRET))


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    with Origin(tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("https://cdn.example.com/seg1.ts?x=1", True),
        ("https://cdn.example.com:443/seg1.ts", True),
        ("HTTPS://CDN.example.com/seg1.ts", True),
        ("https://audio.example.com/1.m4s", True),
        ("http://cdn.example.com/seg1.ts", False),
        ("https://cdn.example.com:8443/seg1.ts", False),
        ("https://example.com/", False),
        ("https://x.cdn.example.com/", False),
        ("https://cdn.example.com.evil.net/", False),
        ("https://cdn.example.com@evil.net/", False),
        ("https://kick.com/x", False),
        ("https://[broken", False),
    ],
)
def test_headers_go_to_the_very_hosts_of_the_renditions(url: str, goes: bool) -> None:
    source = _source(headers=(("X-Token", SECRET),), audio_url="https://audio.example.com/a.m3u8")
    assert Carry.of(source, Settings()).headers_for(url) == ({"X-Token": SECRET} if goes else {})


def test_without_renditions_of_the_web_nobody_gets_headers() -> None:
    source = Source("x", "file", "x", 1.0, "f", (Rendition("/tmp/x.mp4"),), headers=(("X-Token", SECRET),))
    carry = Carry.of(source, Settings())
    assert not carry.headers_for("/tmp/x.mp4") and not carry.headers_for("https://cdn.example.com/")


def test_a_renewed_rendition_may_lie_on_another_host() -> None:
    carry = Carry.of(_source(headers=(("X-Token", SECRET),)), Settings())
    renewed = carry.also_for(Rendition("https://cdn2.example.com/a.m3u8"))
    assert renewed.headers_for("https://cdn2.example.com/1.ts") == renewed.headers_for("https://cdn.example.com/1.ts")
    assert not carry.headers_for("https://cdn2.example.com/1.ts")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "evil.net"),
        ("Range", "bytes=0-1"),
        ("Content-Length", "5"),
        ("Sec-Fetch-Mode", "navigate"),
        ("sec-ch-ua", '"Other"'),
        ("X-Two", "a\r\nX-Three: b"),
        ("X Two", "a"),
        ("X-Two", "naïve ☃"),
    ],
)
def test_headers_that_would_break_or_forge_a_request_are_dropped(name: str, value: str) -> None:
    carry = Carry.of(_source(headers=((name, value), ("Referer", "https://kick.com/"))), Settings())
    assert carry.headers_for("https://cdn.example.com/") == {"Referer": "https://kick.com/"}


@pytest.mark.parametrize(
    ("line", "url", "goes"),
    [
        (_line(".kick.com"), "https://kick.com/", True),
        (_line(".kick.com"), "https://api.kick.com/v2", True),
        (_line("kick.com"), "https://kick.com/", True),
        (_line("kick.com"), "https://www.kick.com/", False),
        (_line(".kick.com"), "https://evilkick.com/", False),
        (_line(".kick.com"), "https://kick.com.evil.net/", False),
        (_line(".kick.com"), "https://com/", False),
        (_line(".com"), "https://kick.com/", False),
        (_line(".kick.com", secure=True), "https://kick.com/", True),
        (_line(".kick.com", secure=True), "http://kick.com/", False),
        (_line(".kick.com"), "http://kick.com/", True),
        (_line(".kick.com", path="/api"), "https://kick.com/api/v2", True),
        (_line(".kick.com", path="/api"), "https://kick.com/", False),
        (_line(".kick.com", expires="86400"), "https://kick.com/", False),
        (_line(".kick.com", expires=f"{time.time() + 1000:.3f}"), "https://kick.com/", True),
        (_line(".kick.com", expires="-1"), "https://kick.com/", True),
        ("#HttpOnly_" + _line(".kick.com"), "https://kick.com/", True),
        ("# " + _line(".kick.com"), "https://kick.com/", False),
        (_line("localhost"), "http://localhost:8000/", True),
        (_line("127.0.0.1"), "http://127.0.0.1:8000/", True),
        (_line("127.0.0.1"), "http://127.0.0.2/", False),
        (_line(".kick.com", name="a;b"), "https://kick.com/", False),
        (_line(".kick.com", name="a\r\nX-Forged: b"), "https://kick.com/", False),
        ("kick.com\tTRUE\t/\tFALSE", "https://kick.com/", False),
        ("", "https://kick.com/", False),
    ],
)
def test_cookies_follow_the_rules_of_browsers(line: str, url: str, goes: bool) -> None:
    assert Cookies([line]).header_for(url) == (f"sid={SECRET}" if goes else "")


def test_the_users_cookies_come_from_their_file_and_the_resolvers_are_stronger(tmp_path: Path) -> None:
    (tmp_path / "cookies.txt").write_text(f"# Netscape HTTP Cookie File\n{_line('.kick.com')}\n")
    settings = Settings(cookies_file=tmp_path / "cookies.txt")  # type: ignore[call-arg]
    own = Carry.of_settings(settings)
    assert Cookies(own.cookies).header_for("https://kick.com/") == f"sid={SECRET}"
    fresh = Carry.of(_source(cookies=(_line(".kick.com").replace(SECRET, "fresh"),)), settings)
    assert Cookies(fresh.cookies).header_for("https://kick.com/") == "sid=fresh"
    assert Carry.of_settings(Settings()) == Carry()


def test_no_repr_shows_a_secret() -> None:
    source = _source(headers=(("X-Token", SECRET),), cookies=(_line(".kick.com"),))
    carry = Carry.of(source, Settings())
    assert SECRET not in repr(source) + repr(carry) + str(carry) + repr(Cookies(carry.cookies))
    assert "cdn.example.com" in repr(carry)


def _set_what_is_asked(seen: Seen) -> Reply:
    return Reply(200, {"Set-Cookie": unquote(seen.query)}, b"x")


def test_what_a_server_sets_goes_back_to_it_alone(origin: Origin) -> None:
    settings = Settings(allowed_private_hosts="127.0.0.1,localhost", max_retries=0)  # type: ignore[call-arg, arg-type]
    origin.page("/set", _set_what_is_asked)
    origin.page("/other", b"x")
    with HttpClient(settings) as client:
        for cookie in ("edge=1; Path=/", "far=1; Domain=localhost", "tls=1; Secure; Path=/", "deep=1; Path=/deep"):
            client.get(f"{origin.url('/set')}?{quote(cookie)}")
        client.get(origin.url("/other"))
        client.get(origin.url("/other").replace("127.0.0.1", "localhost"))
    with HttpClient(settings) as another:
        another.get(origin.url("/other"))
    assert [seen.headers.get("cookie") for seen in origin.seen if seen.path == "/other"] == ["edge=1", None, None]


def test_a_server_that_sets_cookies_without_end_fills_no_memory(origin: Origin) -> None:
    origin.page("/set", _set_what_is_asked)
    with HttpClient(Settings(allowed_private_hosts="127.0.0.1")) as client:  # type: ignore[call-arg, arg-type]
        for number in range(MOST_COOKIES_KEPT + 20):
            client.get(f"{origin.url('/set')}?c{number}=1")
    assert origin.seen[-1].headers["cookie"].count("=") == MOST_COOKIES_KEPT
