"""Which addresses may be read, and how they are shown."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.safety import (
    MAX_TITLE_CHARS,
    check_url,
    checked_addresses,
    identity,
    is_public,
    public_url,
    redact,
    title_of,
)

SECRET_URL = "https://bob:hunter2@cdn.example:8443/vod/42/master.m3u8?token=s3cret&expires=9#part"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "168.63.129.16", "100.100.100.200", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    ],
)
def test_addresses_that_are_not_of_the_internet_are_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:7f00:1]",
    ],
)
def test_a_private_host_is_refused_in_every_notation(host: str) -> None:
    with pytest.raises(SourceError, match="ALLOWED_PRIVATE_HOSTS") as caught:
        checked_addresses(host, 80, ())
    assert caught.value.outcome == "refused"


def test_an_allowed_host_is_exempt_and_only_that_one() -> None:
    assert checked_addresses("127.0.0.1", 80, ("127.0.0.1",)) == ["127.0.0.1"]
    with pytest.raises(SourceError):
        checked_addresses("127.0.0.2", 80, ("127.0.0.1",))


def test_one_private_address_among_public_ones_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "192.168.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(SourceError, match="its network"):
        checked_addresses("mixed.example", 80, ())


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "concat:a.mp4|b.mp4", "data:video/mp4;base64,AAAA", "ftp://a.example/x.mp4"),
        *("gopher://a.example", "http://", "http:///path", "http://a.example:99999/", "http://[::1/", "//a.example/x"),
        *("http://a.example/\r\nHost: b", "http://a.example/a b", "https://a.example/" + "x" * 9000),
    ],
)
def test_other_protocols_and_malformed_addresses_are_refused(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        check_url(url)
    assert caught.value.outcome == "refused"
    assert "\n" not in str(caught.value)


def test_what_is_shown_or_kept_holds_no_secret() -> None:
    for text in (redact(SECRET_URL), public_url(SECRET_URL), identity(SECRET_URL), title_of("/vod/42/master.m3u8")):
        assert not any(secret in text for secret in ("bob", "hunter2", "s3cret", "token", "expires", "part"))
    assert public_url(SECRET_URL) == "https://cdn.example:8443/vod/42/master.m3u8"
    assert redact("https://a.example/" + "t" * 200 + "/index.m3u8") == "https://a.example/tttttttttttt…/index.m3u8"


def test_identity_tells_videos_apart_but_not_signatures() -> None:
    assert identity("https://a.example/get?id=1&sig=x") == identity("https://a.example/get?id=1&sig=y")
    assert identity("https://a.example/get?id=1") != identity("https://a.example/get?id=2")


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/vods/Great%20Game.mp4", "Great Game"),
        ("/vods/%F0%9F%94%A5%20clutch.mp4", "🔥 clutch"),
        ("/a/nul%00and%0Aline%1b.mp4", "nulandline"),
        ("/a/%E2%80%AEgpj.exe.mp4", "gpj.exe"),
        ("/channel-42/master.m3u8", "channel-42"),
        ("/master.m3u8", "master"),
        ("/", "host"),
        ("/%ff%fe.mp4", "��"),
        ("/v1.2 final", "v1.2 final"),
    ],
)
def test_titles_come_from_the_address(path: str, title: str) -> None:
    assert title_of(path, fallback="host") == title


def test_a_title_of_400_bytes_is_kept_and_an_endless_one_is_cut() -> None:
    assert title_of("/" + "é" * 200 + ".mp4") == "é" * 200
    assert len(title_of("/" + "x" * 5000)) == MAX_TITLE_CHARS
