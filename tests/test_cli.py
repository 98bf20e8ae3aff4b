"""The command line as a user meets it: one line for each mistake, exit codes, Ctrl-C, a kill in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.cli.main import COMMANDS, main
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import MEASURE, JobQuery
from kick_clip_generator.media.probe import probe
from tests.origin import Origin, make_hls, make_media
from tests.streams import make_stream

MAIN = Path(__file__).resolve().parent.parent / "main.py"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    make_media(folder / "plain.mp4", duration_s=8)
    stream = make_stream(folder / "stream.mp4", duration_s=100, events=[(40, 50)])
    make_hls(folder / "ts", stream, segment_s=5.0)
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "page.html").write_text("<html><body>hello</body></html>")
    (folder / "nothing.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-ENDLIST\n")
    return folder


@pytest.fixture(scope="module")
def origin(media: Path) -> Iterator[Origin]:
    with Origin(media) as origin:
        yield origin


@pytest.fixture(autouse=True)
def _quick_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    monkeypatch.setenv("MAX_RETRIES", "0")
    monkeypatch.setenv("REQUEST_TIMEOUT", "5")


def complaint(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    """Run a command that must fail; returns its one line."""
    assert main([str(argument) for argument in argv]) == 2
    printed = capsys.readouterr()
    lines = printed.err.strip().splitlines()
    said = [line for line in lines if line.startswith("error: ")]
    assert len(said) == 1 and lines[-1] == said[0], printed.err
    assert "Traceback" not in printed.err
    assert not Path("output_clips").exists() or not any(Path("output_clips").iterdir())
    return said[0]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--url", "{media}/missing.mp4"], "missing.mp4"),
        (["--url", "{media}/empty.mp4"], "empty"),
        (["--url", "{media}/text.mp4"], "text.mp4"),
        (["--url", "{media}"], "folder"),
        (["--url", "http://nowhere.invalid/a.mp4"], "nowhere.invalid"),
        (["--url", "{origin}missing.mp4"], "404"),
        (["--url", "{origin}page.html"], "page"),
        (["--url", "{origin}nothing.m3u8"], "segment"),
        (["--url", "http://10.0.0.1/a.mp4"], "ALLOWED_PRIVATE_HOSTS"),
        (["--url", "file:///etc/passwd"], "file"),
        (["--url", ""], "stream"),
        (["--url", "{media}/plain.mp4", "--min-gap", "-1"], "--min-gap"),
        (["--url", "{media}/plain.mp4", "--min-gap", "nan"], "--min-gap"),
        (["--url", "{media}/plain.mp4", "--clip-duration", "1e99"], "--clip-duration"),
        (["--url", "{media}/plain.mp4", "--clip-duration", "soon"], "--clip-duration"),
        (["--url", "{media}/plain.mp4", "--max-audio-clips", "26"], "from 1 to 25"),
        (["--url", "{media}/plain.mp4", "--max-video-clips", "2.5"], "whole number"),
        (["--url", "{media}/plain.mp4", "--start-minute", "inf"], "--start-minute"),
        (["--url", "{media}/plain.mp4", "--start-minute", "3", "--end-minute", "1"], "before the end"),
        (["--url", "{media}/plain.mp4", "--start-minute", "3"], "minutes long"),
        (["--url", "{media}/plain.mp4", "--type", "smell"], "smell"),
        (["--url", "{media}/plain.mp4", "--output", "{media}/text.mp4"], "folder"),
        (["--url", "{media}/plain.mp4", "--demo"], "--demo"),
        (["--url", "{media}/plain.mp4", "--gui"], "--gui"),
        (["--generate-clips"], "--url"),
        (["--json", "found.json"], "--url"),
        (["--url", "{media}/plain.mp4", "--json", "{media}/plain.mp4"], "stream itself"),
        (["--url", "{media}/plain.mp4", "--json", "{media}"], "regular file"),
        (["--frobnicate"], "--frobnicate"),
        (["clip", "--url", "{media}/plain.mp4", "--start", "5", "--end", "2"], "before"),
        (["clip", "--url", "{media}/plain.mp4", "--start", "50", "--end", "60"], "end of the stream"),
    ],
)
def test_bad_input_is_one_line(
    argv: list[str], words: str, media: Path, origin: Origin, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [argument.format(media=media, origin=origin.url()) for argument in argv]
    if argv[0] == "--url":
        filled.append("--generate-clips")
    assert words in complaint(capsys, *filled)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("CHUNK_DURATION", "2", "CHUNK_DURATION"),
        ("PORT", "99999", "1 to 65535"),
        ("FRAME_SKIP", "7", "FRAME_SKIP"),
        ("ML_WEIGHT", "nan", "ML_WEIGHT"),
        ("FFMPEG_PATH", "/nowhere/ffmpeg", "/nowhere/ffmpeg"),
    ],
)
def test_bad_setting_is_one_line(
    key: str, value: str, words: str, media: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(key, value)
    assert words in complaint(capsys, "--url", media / "plain.mp4", "--generate-clips")


@pytest.mark.slow
def test_a_locked_library(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    Library.open(Path("clips.db")).close()
    with sqlite3.connect("clips.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "clips.db" in complaint(capsys, "--url", media / "plain.mp4", "--generate-clips")
        other.execute("ROLLBACK")


def test_a_newer_library(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    Library.open(Path("clips.db")).close()
    with sqlite3.connect("clips.db") as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "newer" in complaint(capsys, "--url", media / "plain.mp4", "--generate-clips")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["-x.mp4", "CON.mp4", " a b.mp4 ", "~x.mp4", "a\N{PILE OF POO}b:c.mp4", "é" * 120 + ".mp4", "concat:a.mp4"]
)
def test_odd_file_names(name: str, media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(media / "stream.mp4", name)
    assert main(["--url=" + name, "--generate-clips", "--cut", "copy"]) == 0
    clips = list(Path("output_clips").glob("*/*.mp4"))
    assert clips and all(probe(clip).duration_s > 1 for clip in clips)


def test_json_and_table(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--url", str(media / "stream.mp4"), "--json", "found.json"]) == 0
    printed = capsys.readouterr().out
    document = json.loads(Path("found.json").read_text())
    assert document["highlights"][0]["reasons"][0]["text"].split()[0] in printed
    assert main(["analyze", "--url", str(media / "stream.mp4"), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["highlights"] == document["highlights"]
    assert not Path("output_clips").exists()


def test_a_clip_by_hand(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["clip", "--url", str(media / "stream.mp4"), "--start", "12.5", "--end", "20", "--output", "mine"]
    assert main(argv) == 0
    path = Path(capsys.readouterr().out.strip())
    first = path.read_bytes()
    assert main([*argv[:4], "30", "--end", "35", "--output", "mine"]) == 0
    assert path.read_bytes() == first and len(list(Path("mine").glob("*.mp4"))) == 2, "a clip by hand replaces none"
    assert path.parent == Path("mine").resolve() and probe(path).duration_s == pytest.approx(7.5, abs=0.1)


def test_backup_and_retrain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", "--to", "copy.db"]) == 0
    Library.open(Path("copy.db")).close()
    assert main(["retrain"]) == 0
    assert "Not enough ratings yet: 0 of 10" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], *[[command] for command in COMMANDS]])
def test_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*argv, "--help"])
    assert ended.value.code == 0
    assert "usage: main.py" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
sys.argv = ["main.py", "--help"]
sys.path.insert(0, {str(MAIN.parent)!r})
import runpy
try:
    runpy.run_path({str(MAIN)!r}, run_name="__main__")
except SystemExit:
    pass
heavy = {{"numpy", "av", "sklearn", "sqlalchemy", "gradio", "cv2", "requests", "fastapi"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def start(*argv: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(MAIN), *argv],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for_windows(count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if Path("clips.db").exists():
            with Library.open(Path("clips.db")) as library:
                jobs = library.jobs(JobQuery(kind=MEASURE)).items
                if jobs and len(library.windows(jobs[0].id)) >= count:
                    return
        time.sleep(0.1)
    raise AssertionError("the run recorded no window")


def ffmpeg_children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for left-over processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_nothing_and_goes_on(how: signal.Signals, origin: Origin) -> None:
    url = origin.url("ts/index.m3u8")
    origin.slow("/ts/index_014.ts", 60.0)
    process = start("--url", url, "--generate-clips")
    try:
        wait_for_windows(1)
        children = ffmpeg_children(process.pid)
        process.send_signal(how)
        process.wait(8)
    finally:
        process.kill()
        process.communicate()
        origin.slow("/ts/index_014.ts", 0.0)
    if how != signal.SIGKILL:
        assert process.returncode == 130
        assert list(Path("temp_chunks").iterdir()) == []
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(Path(f"/proc/{child}").exists() for child in children):
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in children)

    origin.requests.clear()
    assert main(["--url", url, "--generate-clips"]) == 0
    assert origin.requests["/ts/index_002.ts"] == 0, "the first window was finished before"
    assert list(Path("temp_chunks").iterdir()) == []
    assert list(Path("output_clips").rglob("*.mp4"))
    assert not list(Path().rglob("*.part"))


class TestManyStreams:
    def test_each_is_run_once_and_one_failure_holds_up_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        good = make_stream(tmp_path / "good.mp4", duration_s=20, events=[(8, 12)])
        (tmp_path / "links.txt").write_text(f"# mine\n\nmissing.mp4\n{good}\n", encoding="utf-8")
        code = main(["analyze", "--url", str(good), "--url-file", "links.txt", "--json", "found.json"])
        said = capsys.readouterr()
        assert code == 2
        assert "error: stream 2 of 2: There is no file missing.mp4" in said.err
        assert said.out.count("good\n") == 1
        document = json.loads((tmp_path / "found.json").read_text())
        assert [stream["title"] for stream in document["streams"]] == ["good"]

    @pytest.mark.parametrize(
        ("content", "what"), [(b"", "names no stream"), (b"# only\n", "names no stream"), (b"\xff\xfe\x00", "UTF-8")]
    )
    def test_a_list_that_is_none_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, what: str
    ) -> None:
        (tmp_path / "links.txt").write_bytes(content)
        assert main(["--url-file", str(tmp_path / "links.txt")]) == 2
        assert what in capsys.readouterr().err

    @pytest.mark.parametrize("flags", [["--quality", "high"], ["--cookies", "a", "--cookies-from-browser", "firefox"]])
    def test_flags_that_make_no_sense_are_told(self, capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
        assert main(["--url", "x.mp4", *flags]) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ") and said.count("\n") == 1
