"""Where log records go: rotating files for later, the terminal for now.

Titles, URLs and servers' answers come from strangers, and log files get attached to bug reports: passwords and tokens
in URLs are struck out, and control characters are escaped, so that no title can forge a line or paint the terminal.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import re
import sys
from pathlib import Path

PACKAGE = "kick_clip_generator"
FILE_NAME = "kick_clip_generator.log"
MAX_FILE_BYTES = 2_000_000
OLD_FILES = 5

_CREDENTIALS = re.compile(r"(\w://)[^/\s@'\"]+@")
# Names are bounded: with `*`, a long made-up URL would cost the square of its length.
_SECRET_VALUE = re.compile(
    r"([?&;][\w.%~-]{0,64}(?:token|sig|key|auth|secret|passw|policy|credential|session)[\w.%~-]{0,64}=)[^&;#\s'\"<>]+",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def set_up_logging(folder: Path, *, level: str, console_level: str) -> None:
    """Send the records of this program to files in `folder` and to stderr; other libraries' from WARNING on.

    A second call takes the place of the first.

    Args:
        folder: made when missing; holds at most `OLD_FILES` + 1 files of `MAX_FILE_BYTES`.
        level: least level for the files, e.g. "INFO".
        console_level: least level for the terminal.

    Raises:
        OSError: when the file can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = _LogFile(folder / FILE_NAME)
    file.setLevel(level)
    file.setFormatter(_SafeFormatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    terminal = _Terminal(sys.stderr)
    terminal.setLevel(console_level)
    terminal.setFormatter(_SafeFormatter("%(levelname)s: %(message)s"))

    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _LogFile | _Terminal)]:
        root.removeHandler(handler)
        handler.close()
    root.addHandler(file)
    root.addHandler(terminal)
    logging.getLogger(PACKAGE).setLevel(min(file.level, terminal.level))
    logging.captureWarnings(True)


class _Terminal(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """A class of its own, so that a second set-up knows which handler to replace."""


class _LogFile(logging.handlers.RotatingFileHandler):
    """A rotating file that several processes may write: each line is one append, and who did not rotate follows."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, maxBytes=MAX_FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8", errors="backslashreplace"
        )

    def emit(self, record: logging.LogRecord) -> None:
        self._follow()
        super().emit(record)

    def _follow(self) -> None:
        """Open the file anew when another process has moved it away."""
        if self.stream is None:
            return
        with contextlib.suppress(OSError):
            try:
                there = os.stat(self.baseFilename)
            except FileNotFoundError:
                there = None
            mine = os.fstat(self.stream.fileno())
            if there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
                self.stream.close()
                self.stream = self._open()

    def rotate(self, source: str, dest: str) -> None:
        # Windows can't rename a file that another process has open; then this one goes on in the same file.
        with contextlib.suppress(PermissionError):
            super().rotate(source, dest)


class _SafeFormatter(logging.Formatter):
    """One record, one line (and a traceback, if there is one), without secrets."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def without_secrets(text: str) -> str:
    """`text` with passwords and tokens inside URLs struck out.

    >>> without_secrets("https://ann:pw@host/live.m3u8?token=abc&quality=best")
    'https://***@host/live.m3u8?token=***&quality=best'
    """
    return _SECRET_VALUE.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", text))
