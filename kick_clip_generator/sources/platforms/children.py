"""Tools in child processes that can be killed: they get a time limit, an empty folder and little of our environment."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kick_clip_generator.core.errors import MediaError, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.ffmpeg import kill, spawn
from kick_clip_generator.sources.net.authorities import AUTHORITIES, own_authority
from kick_clip_generator.sources.platforms.outcomes import update_command

# yt-dlp's description of a 10-hour stream with all its formats was 0.4 MB.
MAX_OUTPUT_BYTES = 32 * 2**20
MAX_COMPLAINT_BYTES = 64 * 2**10
POLL_S = 0.1
_READ_BYTES = 64 * 1024

# Where programs and certificates are and how the network is reached; neither our settings nor anybody's tokens.
_PASSED_ON = re.compile(
    r"PATH|PATHEXT|HOME|USERPROFILE|HOMEDRIVE|HOMEPATH|(LOCAL)?APPDATA|PROGRAMDATA|SYSTEM(ROOT|DRIVE)|WINDIR|COMSPEC|"
    r"TEMP|TMP|TMPDIR|LANG|LC_ALL|LC_CTYPE|TZ|(DY)?LD_LIBRARY_PATH|PYTHONPATH|"
    # Proxies are written in lower case, too.
    r"(?i:(HTTP|HTTPS|ALL|NO)_PROXY)|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE"
)


@dataclass(frozen=True, slots=True)
class Output:
    """What a tool left.

    Attributes:
        code: its exit status.
        stdout: all of it.
        stderr: the end of it, as text.
    """

    code: int
    stdout: bytes
    stderr: str


@contextlib.contextmanager
def workplace(cookies: Sequence[str] = ()) -> Iterator[tuple[Path, Path]]:
    """A private folder for one run of a tool, gone afterwards, and the cookie file in it.

    The file is a copy: yt-dlp writes its cookies back, also those that the site has set.
    """
    with tempfile.TemporaryDirectory(prefix="resolve-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        jar = folder / "cookies.txt"
        jar.touch(mode=0o600)
        jar.write_text("\n".join(("# Netscape HTTP Cookie File", *cookies, "")), encoding="utf-8")
        yield folder, jar


def run_module(
    module: str, args: Sequence[str], folder: Path, settings: Settings, cancel: CancelToken | None = None
) -> Output:
    """Run an installed Python package as a program, to its end.

    Whatever is raised, KeyboardInterrupt included, the process and what it started are gone when this returns.

    Args:
        module: as of `python -m`.
        args: never holds anything that a stranger wrote and nobody checked.
        folder: where it runs.
        settings: RESOLVE_TIMEOUT.
        cancel: looked at every 0.1 s.

    Raises:
        SourceError: when it is not installed or can't be started ("failed"), takes too long ("timeout"), or says too
            much ("too_large").
        Cancelled: when the token is up.
    """
    package = module.replace("_", "-")
    if importlib.util.find_spec(module) is None:
        raise SourceError(f"{package} is not installed; {update_command(package)}.")
    # Not the folder it runs in: whatever lies there must not be imported.
    command = [sys.executable, "-P", "-m", module, *args]
    try:
        process = spawn(command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except MediaError:
        raise SourceError(f"{package} could not be started; {update_command(package)}.") from None
    assert process.stdout is not None and process.stderr is not None
    output = _Drain(process.stdout, MAX_OUTPUT_BYTES, keep_end=False)
    complaints = _Drain(process.stderr, MAX_COMPLAINT_BYTES, keep_end=True)
    until = time.monotonic() + settings.resolve_timeout
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
                break
            if cancel is not None:
                cancel.check()
            if output.overflown:
                break
            if time.monotonic() > until:
                raise SourceError(
                    f"{package} did not finish in {settings.resolve_timeout:g} s; check the network, or raise "
                    f"RESOLVE_TIMEOUT.",
                    outcome="timeout",
                    retryable=True,
                )
    finally:
        kill(process)
    if output.overflown:
        raise SourceError(f"{package} said more than {MAX_OUTPUT_BYTES:,} bytes.", outcome="too_large")
    return Output(process.returncode, output.taken(), complaints.taken().decode("utf-8", "replace"))


class _Drain:
    """Reads a pipe in a thread, so that nobody blocks, and keeps a bounded part of it."""

    def __init__(self, stream: IO[bytes], cap: int, *, keep_end: bool) -> None:
        self.overflown = False
        self._stream = stream
        self._cap = cap
        self._keep_end = keep_end
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, name="tool-output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._stream:
            while piece := os.read(self._stream.fileno(), _READ_BYTES):
                if len(self._data) + len(piece) > self._cap and not self._keep_end:
                    self.overflown = True
                    continue
                self._data += piece
                if len(self._data) > self._cap:
                    del self._data[: -self._cap]

    def taken(self) -> bytes:
        self._thread.join(timeout=2.0)
        return bytes(self._data)


def _environment() -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    authority = own_authority()
    if authority:
        # requests, curl and OpenSSL each look at another one.
        env |= {name: env.get(name) or authority for name in AUTHORITIES}
    return env | {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
