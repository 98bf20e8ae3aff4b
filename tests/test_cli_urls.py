"""Links that must not be read: one sentence, exit code 2, and neither a program nor a foreign machine hears of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kick_clip_generator.cli.main import main
from tests.origin import Origin, Page, make_hls, make_media

MAIN = Path(__file__).resolve().parent.parent / "main.py"
CHILDREN = ("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.exec", "os.system")
TOOLS = ("yt_dlp", "streamlink")
SECRET = "not-for-your-eyes"


class _ToolGuard:
    """Remembers programs that are started and download tools that are loaded; a hook cannot be taken away again."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.active = False
        sys.addaudithook(self._audit)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.active and (event in CHILDREN or (event == "import" and args[0].partition(".")[0] in TOOLS)):
            self.seen.append(f"{event} {args[0]}")


_guard = _ToolGuard()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("urls")
    make_hls(folder / "ts", make_media(folder / "plain.mp4", duration_s=6, size="160x90"))
    (folder / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as origin:
        yield origin


@pytest.fixture(autouse=True)
def _quick_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    monkeypatch.setenv("MAX_RETRIES", "0")
    monkeypatch.setenv("REQUEST_TIMEOUT", "5")


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run a command that must be refused before any tool hears of it; returns its one sentence."""
    _guard.seen.clear()
    _guard.active = True
    try:
        code = main([*argv, "--generate-clips"])
    finally:
        _guard.active = False
    printed = capsys.readouterr()
    assert code == 2
    assert _guard.seen == []
    said = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and said[0] == printed.err.strip().splitlines()[-1], printed.err
    everything = printed.out + printed.err
    assert "Traceback" not in everything and SECRET not in everything and "root:" not in everything
    assert not any(path.is_file() for path in Path("output_clips").rglob("*"))
    return said[0]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("--exec=id", "--exec=id"),
        ("https://www.twitch.tv/videos/1 --exec=id", "spaces"),
        ("-o/tmp/x", ""),
        ("file:///etc/passwd", "http"),
        ("FILE:///etc/passwd", "http"),
        ("file://localhost/etc/passwd", "http"),
        ("concat:/etc/passwd|/etc/hosts", "http"),
        ("subfile,,start,0,end,100,,:/etc/passwd", "no file"),
        ("data:video/mp4;base64,AAAA", "http"),
        ("pipe:0", "http"),
        ("gopher://example.com/", "http"),
        ("ytsearch:cats", "http"),
        ("http://169.254.169.254/latest/meta-data/", "ALLOWED_PRIVATE_HOSTS"),
        ("http://[fd00:ec2::254]/", "ALLOWED_PRIVATE_HOSTS"),
        ("http://2130706433/a.mp4", "ALLOWED_PRIVATE_HOSTS"),
        ("http://0x7f.1/a.mp4", "ALLOWED_PRIVATE_HOSTS"),
        ("http://0177.0.0.1/a.mp4", "ALLOWED_PRIVATE_HOSTS"),
        ("http://[::1]/a.mp4", "ALLOWED_PRIVATE_HOSTS"),
        ("http://[::ffff:127.0.0.1]/a.mp4", "ALLOWED_PRIVATE_HOSTS"),
        ("http://0.0.0.0/a.mp4", "ALLOWED_PRIVATE_HOSTS"),
        ("http://10.0.0.1/a.mp4", "ALLOWED_PRIVATE_HOSTS"),
        ("http://192.168.0.1/a.m3u8", "ALLOWED_PRIVATE_HOSTS"),
        ("http://localhost/a.mp4", "ALLOWED_PRIVATE_HOSTS"),
        ("http://kick.com@169.254.169.254/video/1", "ALLOWED_PRIVATE_HOSTS"),
        ("http:///a.mp4", "host"),
        ("http://example.com:99999/a.mp4", "address"),
    ],
)
def test_a_link_that_may_not_be_read(url: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in refusal(capsys, f"--url={url}")


def test_an_option_in_the_place_of_a_link(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--url" in refusal(capsys, "--url", "--exec=id")


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/",
        "http://localhost:{port}/plain.mp4",
        "http://2130706433:{port}/plain.mp4",
        "file:///etc/passwd",
        "//[::1]/plain.mp4",
    ],
)
def test_a_redirect_there(target: str, origin: Origin, capsys: pytest.CaptureFixture[str]) -> None:
    origin.redirect("/away.mp4", target.format(port=origin.port))
    refusal(capsys, "--url", origin.url("away.mp4"))
    # Asked at most once by each way of reading it, and led nowhere.
    assert set(origin.requests) == {"/away.mp4"} and origin.requests["/away.mp4"] <= 3


def media_playlist(*lines: str) -> Page:
    text = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:4", "#EXT-X-PLAYLIST-TYPE:VOD", *lines, "#EXT-X-ENDLIST"])
    return Page(f"{text}\n".encode(), "application/vnd.apple.mpegurl")


PLAYLISTS = {
    "a file as segment": media_playlist("#EXTINF:4,", "file://{folder}/secret.txt"),
    "a protocol of ffmpeg as segment": media_playlist("#EXTINF:4,", "concat:{folder}/secret.txt"),
    "the metadata service as segment": media_playlist("#EXTINF:4,", "http://169.254.169.254/latest/"),
    "a neighbor as segment": media_playlist("#EXTINF:4,", "http://localhost:{port}/plain.mp4"),
    "a file as init section": media_playlist(
        '#EXT-X-MAP:URI="file://{folder}/secret.txt"', "#EXTINF:4,", "/ts/index_000.ts"
    ),
    "a file as key": media_playlist(
        '#EXT-X-KEY:METHOD=AES-128,URI="file://{folder}/secret.txt"', "#EXTINF:4,", "/ts/index_000.ts"
    ),
    "the metadata service as key": media_playlist(
        '#EXT-X-KEY:METHOD=AES-128,URI="http://169.254.169.254/"', "#EXTINF:4,", "/ts/index_000.ts"
    ),
    "itself as segment": media_playlist("#EXTINF:4,", "/odd.m3u8"),
    "itself as rendition": Page(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=284x160\n/odd.m3u8\n"),
    "a file as rendition": Page(
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=284x160\nfile://{folder}/secret.txt\n"
    ),
    "the metadata service as rendition": Page(
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=284x160\nhttp://169.254.169.254/a.m3u8\n"
    ),
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_that_leads_there(
    kind: str, origin: Origin, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = PLAYLISTS[kind]
    body = page.body.replace(b"{folder}", str(folder).encode()).replace(b"{port}", str(origin.port).encode())
    origin.inject("/odd.m3u8", Page(body, page.content_type))
    refusal(capsys, "--url", origin.url("odd.m3u8"))
    assert origin.requests["/odd.m3u8"] <= 8
    assert not {path for path in origin.requests if path not in ("/odd.m3u8", "/ts/index_000.ts")}


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile {folder}/plain.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://{folder}/ts/index_000.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{folder}/ts/index_000.ts\n#EXT-X-ENDLIST\n",
        '<?xml version="1.0"?><MPD><BaseURL>file://{folder}/plain.mp4</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ],
)
@pytest.mark.parametrize("name", ["x.mp4", "x.ts"])
def test_a_script_that_calls_itself_a_video(
    text: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(text.format(folder=folder))
    refusal(capsys, "--url", name)


def test_the_same_from_a_server(origin: Origin, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = f"ffconcat version 1.0\nfile {folder}/plain.mp4\n".encode()
    origin.inject("/x.mp4", Page(script, "video/mp4"))
    refusal(capsys, "--url", origin.url("x.mp4"))
    assert set(origin.requests) == {"/x.mp4"}


@pytest.mark.slow
def test_as_a_user_types_it() -> None:
    command = [sys.executable, "-X", "importtime", str(MAIN), "--url", "http://169.254.169.254/", "--generate-clips"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 2
    assert len([line for line in said if line.startswith("error: ")]) == 1 and "Traceback" not in done.stderr
    assert not any(tool in done.stderr for tool in TOOLS)
