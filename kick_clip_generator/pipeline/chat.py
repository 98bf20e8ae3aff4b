"""The chat of a stream as columns of its timeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.features.chat import LEAST_PER_HOUR, ChatLog, chat_signals
from kick_clip_generator.sources.chat_file import MOST_LINES, ChatFile


def read_chat(path: Path) -> tuple[ChatLog, tuple[str, ...]]:
    """The lines of a chat file, and sentences about what was left out of it.

    Raises:
        InputError: when it cannot be read or is no chat.
    """
    file = ChatFile(path)
    log = ChatLog.of(file)
    notes = []
    if file.skipped:
        left_out = "1 line of the chat was" if file.skipped == 1 else f"{file.skipped:,} lines of the chat were"
        notes.append(f"{left_out} left out: no JSON object with t (seconds), user and text.")
    if file.cut_short:
        notes.append(f"Only the first {MOST_LINES:,} lines of the chat were read.")
    return log, tuple(notes)


def chat_columns(log: ChatLog, timeline: Timeline, *, lag_s: float) -> tuple[Timeline | None, tuple[str, ...]]:
    """What the chat says of each tick of a timeline, and a sentence where it says nothing.

    Args:
        log: the chat.
        timeline: of the stream.
        lag_s: how long after a moment the chat answers it.

    Returns:
        columns over the same ticks; None where nothing is known.
    """
    columns = chat_signals(log, timeline.first_tick, timeline.stop_tick, lag_s=lag_s)
    if np.isfinite(columns.values).any():
        return columns, ()
    inside = log.between(timeline.start_s, timeline.end_s)
    if not len(inside):
        found = "holds no line" if not len(log) else "has no line in this part of the stream"
        return None, (f"The chat {found}, so it tells nothing; its times (t) should be seconds of the stream.",)
    return None, (
        f"The chat is too sparse to tell anything: {inside.per_hour:.0f} lines an hour, and {LEAST_PER_HOUR:g} are "
        "needed.",
    )
