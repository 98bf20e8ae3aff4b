"""From links and paths to sources, and a clear sentence for each that leads nowhere."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.resolve import resolve
from tests.origin import Origin, make_hls, make_media

SETTINGS = {"allowed_private_hosts": "127.0.0.1", "request_timeout": 2, "max_retries": 0, "backoff_factor": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("origin")
    make_media(made / "game.mp4", duration_s=4)
    make_hls(made / "vod", made / "game.mp4", renditions=[90, 180, 240])
    return made


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as server:
        yield server


@pytest.fixture
def settings() -> Settings:
    return Settings(**SETTINGS)  # type: ignore[arg-type]


def _refusal(url: str, settings: Settings) -> SourceError:
    with pytest.raises(SourceError) as caught:
        resolve(url, settings)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and "\x00" not in sentence
    assert caught.value.exit_code == 2
    return caught.value


def test_a_local_file(folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    source = resolve(str(folder / "game.mp4"), settings)
    assert (source.kind, source.title, source.live) == ("file", "game", False)
    assert source.duration_s == pytest.approx(4, abs=0.1)
    assert source.url == source.renditions[-1].url == str((folder / "game.mp4").resolve())
    assert (source.renditions[-1].width_px, source.renditions[-1].height_px, source.renditions[-1].fps) == (
        320,
        180,
        25,
    )
    assert source.renditions[-1].has_audio and source.renditions[-1].has_video
    monkeypatch.chdir(folder)
    assert resolve("game.mp4", settings).fingerprint == source.fingerprint


def test_a_changed_file_has_another_fingerprint(folder: Path, settings: Settings, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes((folder / "game.mp4").read_bytes())
    before = resolve(str(copy), settings).fingerprint
    os.utime(copy, ns=(1, 1))
    assert resolve(str(copy), settings).fingerprint != before


@pytest.mark.parametrize("name", ["-x.mp4", "concat:a.mp4", "🔥 #1?.mp4", "é" * 120 + ".mp4", "x"])
def test_odd_file_names_are_only_names(folder: Path, settings: Settings, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes((folder / "game.mp4").read_bytes())
    source = resolve(name, settings)
    assert source.title == name.removesuffix(".mp4")
    assert os.path.isabs(source.renditions[-1].url)


def test_bad_files(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("This is no video. " * 100)
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:2,\n/etc/passwd\n")
    (tmp_path / "script.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    os.mkfifo(tmp_path / "pipe.mp4")
    outcomes = {
        "nothing.mp4": "not_found",
        "empty.mp4": "not_media",
        "text.mp4": "not_media",
        "list.mp4": "not_media",
        "script.mp4": "not_media",
        "pipe.mp4": "refused",
        ".": "not_media",
        "": "refused",
        "a\x00b.mp4": "unreadable",
        "x" * 400: "unreadable",
        "text.mp4/deeper": "not_found",
    }
    assert {name: _refusal(name, settings).outcome for name in outcomes} == outcomes
    assert "https://" in str(_refusal("kick.com/somebody", settings))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "FILE:/etc/passwd", "concat:a.mp4|b.mp4", "data:video/mp4;base64,AAAA", "ftp://a.example/x"],
)
def test_other_protocols_are_refused(settings: Settings, url: str) -> None:
    assert _refusal(url, settings).outcome == "refused"


def test_a_file_on_a_server(origin: Origin, settings: Settings) -> None:
    address = origin.url("game.mp4")
    source = resolve(address.replace("//", "//bob:hunter2@") + "?token=s3cret", settings)
    assert (source.kind, source.title, source.url) == ("http", "game", address)
    assert source.duration_s == pytest.approx(4, abs=0.1)
    assert source.renditions[-1].height_px == 180
    assert source.renditions[-1].url.endswith("?token=s3cret")
    assert source.fingerprint == resolve(address.replace("//", "//al:x@") + "?token=other", settings).fingerprint


def test_an_hls_recording(origin: Origin, settings: Settings) -> None:
    source = resolve(origin.url("vod/master.m3u8?token=s3cret"), settings)
    assert (source.kind, source.title, source.url) == ("hls", "vod", origin.url("vod/master.m3u8"))
    assert [r.height_px for r in source.renditions] == [90, 180, 240]
    assert source.duration_s == pytest.approx(4, abs=0.1)
    assert source.fingerprint == resolve(origin.url("vod/master.m3u8?token=other"), settings).fingerprint
    assert source.fingerprint != resolve(origin.url("vod/180p.m3u8"), settings).fingerprint
    # Resolving reads playlists, no media.
    assert not [path for path in origin.requests if path.endswith(".ts")]


def test_a_playlist_is_known_by_its_first_line_not_its_name(origin: Origin, settings: Settings) -> None:
    origin.page("/vod/watch", (origin.folder / "vod" / "180p.m3u8").read_bytes())
    origin.content_type("/vod/watch", "text/html")
    assert resolve(origin.url("vod/watch"), settings).kind == "hls"


def test_a_rendition_that_is_gone_is_passed_over(origin: Origin, settings: Settings) -> None:
    origin.fail("/vod/180p.m3u8", 404)
    assert [r.height_px for r in resolve(origin.url("vod/master.m3u8"), settings).renditions] == [90, 240]


def test_answers_that_are_no_media(origin: Origin, settings: Settings) -> None:
    pages = {
        "/page.mp4": b"<!DOCTYPE html><html><body>Watch</body></html>",
        "/bare": b"\n  <html>",
        "/error.json": b'{"error": "no such video"}',
        "/noise.mp4": bytes(range(256)) * 50,
        "/empty.mp4": b"",
        "/empty.m3u8": b"#EXTM3U\n#EXT-X-ENDLIST\n",
        "/self.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nself.m3u8\n",
        "/huge.m3u8": b"#EXTM3U\n" + b"#EXTINF:2,\na.ts\n" * 500_000,
        "/soon.m3u8": b"#EXTM3U\n",
        "/local.m3u8": b"#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "/master.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd\n",
    }
    for path, body in pages.items():
        origin.page(path, body)
    outcomes = dict.fromkeys(pages, "not_media") | {
        "/huge.m3u8": "too_large",
        "/soon.m3u8": "offline",
        "/local.m3u8": "refused",
        "/master.m3u8": "refused",
        "/missing.mp4": "not_found",
    }
    assert {path: _refusal(origin.url(path), settings).outcome for path in outcomes} == outcomes
    assert "web page" in str(_refusal(origin.url("page.mp4"), settings))


def test_a_server_without_ranges_is_refused(origin: Origin, settings: Settings) -> None:
    origin.ignore_ranges("/game.mp4")
    refusal = _refusal(origin.url("game.mp4"), settings)
    assert refusal.outcome == "no_range"
    assert "download it" in str(refusal)


def test_places_that_cannot_or_may_not_be_reached(origin: Origin, settings: Settings) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{sock.getsockname()[1]}/x.mp4"
    origin.redirect("/away.mp4", "http://192.168.0.1/x.mp4")
    origin.page("/inside.m3u8", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://169.254.169.254/a.m3u8\n")
    assert _refusal(closed, settings).outcome == "unreachable"
    assert _refusal("http://nobody.invalid/x.mp4", settings).outcome == "unreachable"
    assert _refusal(origin.url("game.mp4"), Settings()).outcome == "refused"
    assert _refusal(origin.url("away.mp4"), settings).outcome == "refused"
    assert _refusal(origin.url("inside.m3u8"), settings).outcome == "refused"
