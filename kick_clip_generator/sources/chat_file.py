"""A chat that lies in a file: one JSON object per line, `{"t": seconds, "user": "…", "text": "…"}`.

It comes from strangers, so nothing about it is believed: what is no line of chat is left out and counted, and neither a
line nor the file can be longer than what is read of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.records import ChatLine

# Ten hours in which a line is written every 20 ms.
MOST_LINES = 2_000_000
LONGEST_LINE_BYTES = 64 * 1024
MOST_BYTES = 4 * 2**30
LONGEST_TEXT, LONGEST_USER = 500, 200
# So many lines without one of chat are a file of something else.
ENOUGH_TO_TELL = 1000

EXAMPLE = '{"t": 12.5, "user": "anna", "text": "wow"}'


class ChatFile:
    """The lines of a chat, read one after another.

    Attributes:
        skipped: lines that were no chat, so far.
        cut_short: whether the file goes on behind what was read.

    Args:
        path: a text file in UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped = 0
        self.cut_short = False

    def check(self) -> None:
        """Raises:
        InputError: when the file is not there, is no regular file, or may not be read.
        """
        with self._open():
            pass

    def __iter__(self) -> Iterator[ChatLine]:
        """Raises:
        InputError: when the file cannot be read, or holds something else than chat.
        """
        self.skipped, good = 0, 0
        with self._open() as file:
            for raw in self._raw_lines(file):
                line = _chat_line(raw)
                if line is not None:
                    good += 1
                    yield line
                    if good >= MOST_LINES:
                        self.cut_short = bool(file.read(1))
                        return
                elif raw.strip():
                    self.skipped += 1
                    if not good and self.skipped >= ENOUGH_TO_TELL:
                        break
        if self.skipped and not good:
            raise InputError(f"{self.path} is no chat: each line should be a JSON object such as {EXAMPLE}.")

    def _open(self) -> BinaryIO:
        try:
            if not self.path.is_file():
                problem = "is no regular file" if self.path.exists() else "is not there"
                raise InputError(f"The chat {self.path} {problem}; check the path.")
            return self.path.open("rb")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"The chat {self.path} cannot be read ({reason}); check the path.") from error

    def _raw_lines(self, file: BinaryIO) -> Iterator[bytes]:
        try:
            while raw := file.readline(LONGEST_LINE_BYTES):
                if file.tell() > MOST_BYTES:
                    self.cut_short = True
                    return
                if raw.endswith(b"\n") or len(raw) < LONGEST_LINE_BYTES:
                    yield raw
                    continue
                yield b"too long"
                while raw and not raw.endswith(b"\n") and file.tell() <= MOST_BYTES:
                    raw = file.readline(LONGEST_LINE_BYTES)
        except OSError as error:
            raise InputError(
                f"The chat {self.path} cannot be read ({error.strerror}); copy it to another place."
            ) from error


def _chat_line(raw: bytes) -> ChatLine | None:
    """None for what is no line of chat."""
    try:
        data: Any = json.loads(raw.decode("utf-8-sig", "replace"))
        time_s, user, text = data["t"], data["user"], data.get("text", "")
        if isinstance(time_s, bool) or not isinstance(time_s, int | float) or isinstance(user, bool):
            return None
        time_s = float(time_s)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    if not math.isfinite(time_s) or not isinstance(user, str | int) or not isinstance(text, str):
        return None
    return ChatLine(time_s, str(user)[:LONGEST_USER], text[:LONGEST_TEXT])
