"""The ffmpeg binary: where it is, how it is started, and that it never outlives us.

Every ffmpeg runs in a process group of its own, so that Ctrl-C in a terminal reaches only this program, which then ends
its children in order; `kill_all` ends those that are left.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import importlib.util
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.progress import CancelToken

log = logging.getLogger(__name__)

Process = subprocess.Popen[bytes]

POLL_S = 0.1
"""How often the cancel token and the watchdog are looked at."""

STDERR_LINES = 40
# One line may be a stranger's metadata of any length.
STDERR_LINE_CHARS = 400

# "[vost#0:0/libx264 @ 0x55890ab431c0] " in front of a line of ffmpeg's log.
_CONTEXT = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\] )+")
_CONSEQUENCES = (
    "Conversion failed",
    "Could not open encoder before EOF",
    "Error while filtering",
    "Nothing was written into output file",
    "Task finished with error code",
    "Terminating thread",
    "Last message repeated",
)

# Reentrant: a signal handler may call `kill_all` while its own thread holds it.
_lock = threading.RLock()
_running: weakref.WeakSet[Process] = weakref.WeakSet()
_exit_hook: list[bool] = []


def ffmpeg_path(configured: Path | None = None) -> str:
    """The ffmpeg to run: the configured one, else the one bundled with imageio-ffmpeg.

    The bundled file is only looked up; `imageio_ffmpeg.get_ffmpeg_exe` would start it once to try it.

    Args:
        configured: a path, or the name of a program on PATH (`FFMPEG_PATH`).

    Raises:
        MediaError: when there is no such program, or it may not be run.
    """
    if configured is not None:
        found = shutil.which(os.fspath(configured.expanduser()))
        if found is None:
            why = "it may not be executed" if configured.expanduser().is_file() else "there is no such program"
            raise MediaError(
                f"FFMPEG_PATH is {configured}, but {why}; correct it, or unset it to use the bundled ffmpeg."
            )
        return os.path.abspath(found)
    spec = importlib.util.find_spec("imageio_ffmpeg")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        for binary in sorted(Path(folder, "binaries").glob("ffmpeg-*")):
            if os.access(binary, os.X_OK):
                return str(binary.resolve())
    raise MediaError(
        "No ffmpeg came with imageio-ffmpeg on this platform; install ffmpeg and set FFMPEG_PATH to where it is."
    )


def spawn(args: Sequence[str | os.PathLike[str]], **popen_kwargs: Any) -> Process:
    """Start a program that is killed at the latest when this one ends.

    Args:
        args: the program and its arguments.
        popen_kwargs: as of `subprocess.Popen`; stdin is the null device unless it is given, never ours.

    Raises:
        MediaError: when the program can't be started.
    """
    popen_kwargs.setdefault("stdin", subprocess.DEVNULL)
    lifeline: tuple[int, int] | None = None
    if sys.platform == "win32":
        popen_kwargs["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    else:
        popen_kwargs["start_new_session"] = True
    if sys.platform == "linux":
        lifeline = os.pipe()
        popen_kwargs["pass_fds"] = (*popen_kwargs.get("pass_fds", ()), lifeline[0])
    with _lock:
        try:
            process: Process = subprocess.Popen([os.fspath(arg) for arg in args], **popen_kwargs)
        except (OSError, ValueError) as error:
            if lifeline is not None:
                os.close(lifeline[0])
                os.close(lifeline[1])
            reason = getattr(error, "strerror", None) or error
            raise MediaError(f"{os.fspath(args[0])} could not be started: {reason}; check FFMPEG_PATH.") from error
        _running.add(process)
        if not _exit_hook:
            _exit_hook.append(True)
            atexit.register(kill_all)
    if lifeline is not None:
        _tie(process, *lifeline)
    return process


def _tie(process: Process, read_end: int, write_end: int) -> None:
    """Have the kernel kill `process` when this program is gone, however it went (SIGKILL, out of memory).

    The child holds the read end of a pipe and we its only write end; the pipe is told to send SIGKILL to the child when
    its state changes, which it does when our end closes. PR_SET_PDEATHSIG was not taken: it needs code between fork and
    exec (`preexec_fn`, which may deadlock where there are threads), and it fires when the *thread* that started the
    child ends, not when the program does.
    """
    if sys.platform == "linux":
        import fcntl

        f_setsig = 10  # Linux's F_SETSIG, which the fcntl module does not name.
        try:
            fcntl.fcntl(read_end, fcntl.F_SETOWN, process.pid)
            fcntl.fcntl(read_end, f_setsig, signal.SIGKILL)
            fcntl.fcntl(read_end, fcntl.F_SETFL, fcntl.fcntl(read_end, fcntl.F_GETFL) | os.O_ASYNC)
        except OSError as error:
            # Some sandboxes lack it; then the process group and `kill_all` are all there is.
            log.debug("no kernel lifeline for child processes here: %s", error)
        os.close(read_end)
        weakref.finalize(process, os.close, write_end).atexit = False


def kill(process: Process) -> None:
    """End a process and its group at once, and wait for it. Nothing happens when it has ended."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                process.kill()
            else:
                # It leads a group of its own (see `spawn`), so its id is the group's.
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with _lock:
        _running.discard(process)


def kill_all() -> None:
    """End every process that `spawn` started and that still runs: for Ctrl-C and the end of the program."""
    with _lock:
        processes = list(_running)
    for process in processes:
        kill(process)


class StderrTail:
    """Drains a process's stderr in a thread, so that it never blocks, and keeps the last lines."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: collections.deque[str] = collections.deque(maxlen=STDERR_LINES)
        self._stream = stream
        self._thread = threading.Thread(target=self._drain, name="ffmpeg-stderr", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._stream:
            while line := self._stream.readline(STDERR_LINE_CHARS):
                text = "".join(c if c.isprintable() else " " for c in line.decode("utf-8", "replace")).strip()
                if text:
                    self._lines.append(text)

    def lines(self) -> list[str]:
        """What was said last, oldest first. Complete once the process has ended."""
        self._thread.join(timeout=1.0)
        return list(self._lines)


def run_ffmpeg(
    ffmpeg: str,
    args: Sequence[str | os.PathLike[str]],
    *,
    feed: Iterable[bytes] | None = None,
    stall_s: float = 30.0,
    cancel: CancelToken | None = None,
) -> None:
    """Run ffmpeg to its end.

    Whatever is raised, KeyboardInterrupt included, the process is gone when this returns; what it wrote is left to the
    caller.

    Args:
        ffmpeg: the binary, see `ffmpeg_path`.
        args: inputs, options and, last, the output.
        feed: what an input `pipe:0` reads; iterated in a thread of its own, and what it raises is raised here.
        stall_s: longest time without progress (frames, time and bytes written all stand still).
        cancel: looked at every 0.1 s.

    Raises:
        MediaError: ffmpeg failed (with its last words), stood still, or the disk is full (with the folder).
        Cancelled: when the token is up.
    """
    command = [ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-nostats", "-progress", "pipe:1", *args]
    stdin = subprocess.DEVNULL if feed is None else subprocess.PIPE
    process = spawn(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    feeder: _Feeder | None = None
    try:
        assert process.stdout is not None and process.stderr is not None
        tail = StderrTail(process.stderr)
        progress = _ProgressWatch(process.stdout)
        if feed is not None and process.stdin is not None:
            feeder = _Feeder(feed, process.stdin)
        while True:
            if cancel is not None:
                cancel.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
                break
            if feeder is not None and feeder.error is not None:
                break
            if progress.silent_s() > stall_s:
                raise MediaError(
                    f"ffmpeg made no progress for {stall_s:g} s and was stopped; "
                    "the input may be damaged or the disk not answering."
                )
    finally:
        kill(process)
        if feeder is not None:
            feeder.join()
    if feeder is not None and feeder.error is not None:
        raise feeder.error
    if process.returncode != 0:
        raise MediaError(_failure(tail.lines(), process.returncode, os.fspath(args[-1]) if args else ""))


class _Feeder(threading.Thread):
    """Writes to a process's stdin until there is no more, or nobody reads."""

    def __init__(self, feed: Iterable[bytes], stream: IO[bytes]) -> None:
        super().__init__(name="ffmpeg-stdin", daemon=True)
        self.error: BaseException | None = None
        self._feed = feed
        self._stream = stream
        self.start()

    def run(self) -> None:
        try:
            for data in self._feed:
                try:
                    self._stream.write(data)
                except OSError:
                    # ffmpeg has ended; its exit code and last words say why.
                    return
        except BaseException as error:
            self.error = error
        finally:
            with contextlib.suppress(OSError):
                self._stream.close()


class _ProgressWatch:
    """Reads `-progress` blocks in a thread and remembers when their numbers last changed.

    ffmpeg writes a block every 0.5 s even when it hangs, so only changed numbers count.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._changed_at = time.monotonic()
        threading.Thread(target=self._read, name="ffmpeg-progress", daemon=True).start()

    def _read(self) -> None:
        last: dict[bytes, bytes] = {}
        with contextlib.suppress(OSError, ValueError), self._stream:
            for line in self._stream:
                key, _, value = line.strip().partition(b"=")
                if key in (b"frame", b"out_time_us", b"total_size", b"dup_frames", b"drop_frames") and (
                    last.get(key) != value
                ):
                    last[key] = value
                    self._changed_at = time.monotonic()

    def silent_s(self) -> float:
        return time.monotonic() - self._changed_at


def _failure(lines: Sequence[str], code: int, output: str) -> str:
    if any("No space left on device" in line or "Disk quota exceeded" in line for line in lines):
        folder = os.path.dirname(os.path.abspath(output.removeprefix("file:")))
        return f"The disk is full in {folder}; free some space there, or choose another folder."
    if code < 0:
        return f"ffmpeg was ended by signal {-code}; the system may be short of memory."
    # When one part of ffmpeg fails, the others report that too; the reason is the last line that is not of that kind.
    said = [_CONTEXT.sub("", line).rstrip(".") for line in lines]
    telling = [line for line in said if not line.startswith(_CONSEQUENCES)] or said
    return f"ffmpeg failed: {telling[-1] if telling else f'exit code {code}, without a word'}."
