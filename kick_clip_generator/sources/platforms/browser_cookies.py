"""Cookies out of a browser's store, read by a child process that hands on nothing but the platforms' own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from kick_clip_generator.core.errors import InputError, MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.ffmpeg import kill, spawn
from kick_clip_generator.sources.platforms import browser_store
from kick_clip_generator.sources.platforms.children import workplace
from kick_clip_generator.sources.platforms.outcomes import update_command

POLL_S = 0.1

_FILE_INSTEAD = "export its cookies to a file and give that with --cookies"
_COMPLAINTS = {
    "unknown": "is no browser whose cookies can be read; use firefox, chrome, chromium, edge, brave, opera, vivaldi, "
    "whale or safari",
    "missing": f"has no cookies on this computer; check its name and profile, or {_FILE_INSTEAD}",
    "locked": f"keeps its cookies locked; close it and try again, or {_FILE_INSTEAD}",
    "encrypted": f"keeps its cookies encrypted for itself alone; use firefox, or {_FILE_INSTEAD}",
}


def read_browser(specification: str, hosts: Sequence[str], timeout_s: float, cancel: CancelToken | None = None) -> str:
    """The cookies of some hosts, as lines of a Netscape cookie file.

    Args:
        specification: as of `--cookies-from-browser`: BROWSER[+KEYRING][:PROFILE][::CONTAINER].
        hosts: whose cookies; those of their subdomains count.
        timeout_s: the browser's keyring may ask its owner for a password.
        cancel: looked at every 0.1 s.

    Raises:
        InputError: when they cannot be read.
        Cancelled: when the token is up.
    """
    shown = f"The browser {specification.partition(':')[0]}"
    # The store is copied before it is read. The folder goes even when the child was killed in the middle of that.
    with workplace() as (folder, _):
        env = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)) | {"PYTHONUTF8": "1"}
        command = [sys.executable, "-P", browser_store.__file__, specification, *hosts]
        try:
            process = spawn(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except MediaError:
            raise InputError(f"{shown} could not be asked for its cookies; {_FILE_INSTEAD}.") from None
        until = time.monotonic() + timeout_s
        # It closes the pipes.
        with process:
            try:
                while True:
                    try:
                        output, complaint = process.communicate(timeout=POLL_S)
                        break
                    except subprocess.TimeoutExpired:
                        if cancel is not None:
                            cancel.check()
                        if time.monotonic() > until:
                            raise InputError(
                                f"{shown} did not hand out its cookies in {timeout_s:g} s; close it, allow the "
                                f"access when your system asks, or {_FILE_INSTEAD}."
                            ) from None
            finally:
                kill(process)
    if process.returncode:
        word = complaint.decode("utf-8", "replace")
        if word == "no yt-dlp":
            raise InputError(f"Cookies are read from browsers by yt-dlp; {update_command('yt-dlp')}.")
        raise InputError(f"{shown} {_COMPLAINTS.get(word, f'did not hand out its cookies; {_FILE_INSTEAD}')}.")
    return output.decode("utf-8", "replace")
