"""The ffmpeg binary is found, watched, stopped, and never outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import Cancelled, MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.ffmpeg import StderrTail, ffmpeg_path, kill, kill_all, run_ffmpeg, spawn

ENDLESS = ("-re", "-f", "lavfi", "-i", "testsrc", "-f", "null", "-")
# Says that it works on every block of progress, and never gets anywhere.
STUCK = ("-f", "lavfi", "-i", "testsrc", "-vf", "realtime=speed=0.000001:limit=100000", "-f", "null", "-")
SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    kill_all()


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_bundled_binary_is_found_and_runs() -> None:
    found = ffmpeg_path()
    assert os.path.isabs(found)
    assert b"libx264" in subprocess.run([found, "-version"], capture_output=True, check=True).stdout


def test_configured_binary_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "my-ffmpeg.exe"
    program.write_bytes(b"#!/bin/sh\n")
    program.chmod(0o755)
    assert ffmpeg_path(program) == str(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg_path(Path("my-ffmpeg.exe")) == str(program)


def test_missing_and_unusable_binaries_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no-such-program, but there is no such program"):
        ffmpeg_path(tmp_path / "no-such-program")
    with pytest.raises(MediaError, match="there is no such program"):
        ffmpeg_path(tmp_path)
    if sys.platform != "win32":
        (tmp_path / "text").write_text("hello")
        with pytest.raises(MediaError, match="may not be executed"):
            ffmpeg_path(tmp_path / "text")
    with pytest.raises(MediaError, match="could not be started"):
        spawn([tmp_path / "no-such-program"])


def test_run_to_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out.ts"
    run_ffmpeg(ffmpeg_path(), ["-f", "lavfi", "-i", "testsrc=d=1:s=64x36", "-f", "mpegts", str(target)])
    assert target.stat().st_size > 1000


def test_failure_says_why(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file or directory"):
        run_ffmpeg(ffmpeg_path(), ["-i", str(tmp_path / "missing.mp4"), "-f", "null", "-"])
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(MediaError, match="Invalid data found"):
        run_ffmpeg(ffmpeg_path(), ["-i", str(tmp_path / "text.mp4"), "-f", "null", "-"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
def test_full_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "out.ts").symlink_to("/dev/full")
    with pytest.raises(MediaError, match=f"disk is full in {tmp_path}; free some space"):
        run_ffmpeg(ffmpeg_path(), ["-f", "lavfi", "-i", "testsrc=d=5", "-f", "mpegts", "-y", str(tmp_path / "out.ts")])


def test_standing_still_is_noticed() -> None:
    with pytest.raises(MediaError, match=r"no progress for 0\.6 s"):
        run_ffmpeg(ffmpeg_path(), STUCK, stall_s=0.6)


def test_slow_progress_is_not_standing_still() -> None:
    cancel = CancelToken()
    timer = threading.Timer(2.0, cancel.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        run_ffmpeg(ffmpeg_path(), ENDLESS, stall_s=1.5, cancel=cancel)


def test_cancel_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    original = subprocess.Popen.__init__

    def remember(self: subprocess.Popen[bytes], *args: object, **kwargs: object) -> None:
        started.append(self)
        original(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(subprocess.Popen, "__init__", remember)
    cancel = CancelToken()
    threading.Timer(0.3, cancel.cancel).start()
    with pytest.raises(Cancelled):
        run_ffmpeg(ffmpeg_path(), ENDLESS, cancel=cancel)
    assert [process.returncode for process in started] == [-signal.SIGKILL if os.name == "posix" else 1]


def test_stdin_is_not_ours_and_the_group_is_its_own() -> None:
    show = "import os, sys; print(os.getpgid(0) == os.getpid(), len(sys.stdin.read()))"
    process = spawn([sys.executable, "-c", show], stdout=subprocess.PIPE)
    assert process.communicate()[0].split() == [b"True", b"0"]


def test_kill_and_kill_all_end_processes() -> None:
    one, two, three = (spawn(SLEEP) for _ in range(3))
    kill(one)
    assert one.returncode is not None
    assert two.poll() is None
    kill(one)
    kill_all()
    assert two.returncode is not None and three.returncode is not None


@pytest.mark.skipif(os.name != "posix", reason="process groups are a POSIX matter")
def test_kill_ends_the_whole_group() -> None:
    process = spawn(["/bin/sh", "-c", "sleep 60 & echo started; wait"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    kill(process)
    # The pipe ends only when nobody of the group is left who could write to it.
    assert process.stdout.read() == b""
    process.stdout.close()


def test_stderr_is_drained_and_its_tail_bounded() -> None:
    flood = (
        "import sys; sys.stderr.write('x\\x1b[2J' * 400_000 + '\\n'); [print(i, file=sys.stderr) for i in range(999)]"
    )
    process = spawn([sys.executable, "-c", flood], stderr=subprocess.PIPE)
    assert process.stderr is not None
    tail = StderrTail(process.stderr)
    assert process.wait(30) == 0
    lines = tail.lines()
    assert lines[-1] == "998"
    assert sum(map(len, lines)) < 20_000
    assert all(line.isprintable() for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a killed program")
def test_killed_program_leaves_no_ffmpeg(tmp_path: Path) -> None:
    # The process is started by a thread that has ended: the case in which a parent-death signal would strike too early.
    script = f"""
import subprocess, threading, time
from kick_clip_generator.media.ffmpeg import ffmpeg_path, spawn
started = []
thread = threading.Thread(target=lambda: started.append(spawn([ffmpeg_path(), "-v", "quiet", *{ENDLESS!r}])))
thread.start(); thread.join()
time.sleep(0.3)
print(started[0].pid, started[0].poll(), flush=True)
time.sleep(60)
"""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=env) as program:
        assert program.stdout is not None
        pid, state = program.stdout.readline().split()
        assert state == b"None"
        assert alive(int(pid))
        program.kill()
    for _ in range(100):
        if not alive(int(pid)):
            break
        time.sleep(0.02)
    assert not alive(int(pid))


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_leaves_no_ffmpeg(tmp_path: Path) -> None:
    script = f"""
import threading
from kick_clip_generator.media import ffmpeg
def show():
    print([process.pid for process in ffmpeg._running][0], flush=True)
threading.Timer(0.5, show).start()
try:
    ffmpeg.run_ffmpeg(ffmpeg.ffmpeg_path(), {ENDLESS!r})
except KeyboardInterrupt:
    print(len(ffmpeg._running), flush=True)
"""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=env) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        os.kill(pid, 0)
        program.send_signal(signal.SIGINT)
        assert program.stdout.readline() == b"0\n"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
