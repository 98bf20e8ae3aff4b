"""What a chat says of each moment: how many write, how many different things, how much of it is laughter or shouting.

People answer what they saw some seconds ago, so each tick tells of the ten seconds around the moment a lag behind it: a
moment lies before the burst that answers it. Bots and copies of one line make bursts, too; so a line that n people
write counts as √n in `chat_voices` (docs/decisions/0019).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import ChatLine
from kick_clip_generator.core.signal_names import CHAT_NAMES
from kick_clip_generator.core.timeline import TICK_S, FloatArray, Timeline
from kick_clip_generator.features.feature import Feature

Ints = NDArray[np.int64]

# Mean AP of `chat_voices` alone on the development streams with windows of 3, 5, 8 and 10 s: 0.41, 0.43, 0.44, 0.51.
AROUND_S = 10.0
# A chat that begins or ends this near to the ends of the stream is all of it.
WHOLE_S = 60.0
# Under this there is no baseline to stand out of: a window of ten seconds holds one line or none.
LEAST_PER_HOUR = 500.0
# A shorter chat is not told sparse or busy.
SHORTEST_S = 60.0
# Of fewer lines the share of copies says nothing.
LEAST_LINES = 3

_LAUGH = re.compile(
    r"\b(?:a?(?:ha|he|ja|je|ka|xa){2,}\w*|l+o+l+|lmf?ao+|rofl|xd+|k{4,}|w{3,}|5{3,}|lul\w*|kekw?|omegalul|icant)\b"
    r"|哈{2,}|呵{2,}|ㅋ{2,}|ㅎ{2,}|(?:ха){2,}|(?:ах){2,}|笑|草|[😂🤣💀]",
    re.IGNORECASE,
)
_SHOUT = re.compile(r"(\S)\1{3,}|[!?！？]{2,}|\b[A-Z]{3,}\b|\b[a-z]{0,20}[A-Z][a-z]{1,20}[A-Z]\w")


def _feature(name: str, unit: str, high: float, meaning: str) -> Feature:
    return Feature(name, unit, 0.0, high, meaning, "docs/decisions/0019", "chat", AROUND_S / 2, "extended")


CHAT_FEATURES: tuple[Feature, ...] = (
    _feature("chat_rate", "1/s", 20.0, "lines of chat a second, in the ten seconds that answer this moment"),
    _feature("chat_chatters", "people", 200.0, "people who wrote in the ten seconds that answer this moment"),
    _feature("chat_voices", "lines", 200.0, "different things said in them; a line that n people write counts √n"),
    _feature("chat_laughs", "1/s", 10.0, "laughing lines a second in them"),
    _feature("chat_shouts", "1/s", 10.0, "lines a second in them that shout, stretch a word or show an emote"),
    _feature("chat_repeats", "", 1.0, "share of the lines in them that copy another one; NaN for fewer than three"),
)


@dataclass(frozen=True, slots=True)
class ChatLog:
    """Lines of a chat as numbers, in any order; who wrote what is not kept.

    Attributes:
        times_s: in stream time, shape `(n,)`.
        users, texts: equal where the user or the text is, int64.
        laughs, shouts: what kind of line it is.
    """

    times_s: NDArray[np.float64]
    users: Ints
    texts: Ints
    laughs: NDArray[np.bool_]
    shouts: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.times_s)

    @classmethod
    def of(cls, lines: Iterable[ChatLine]) -> ChatLog:
        """From lines that come one after another; a million take 26 MB."""
        times, users, texts, laughs, shouts = array("d"), array("q"), array("q"), array("b"), array("b")
        for line in lines:
            times.append(line.time_s)
            users.append(hash(line.user))
            texts.append(hash(" ".join(line.text.split()).casefold()))
            laughs.append(_LAUGH.search(line.text) is not None)
            shouts.append(_SHOUT.search(line.text) is not None)
        return cls(
            np.array(times, np.float64),
            np.array(users, np.int64),
            np.array(texts, np.int64),
            np.array(laughs, np.bool_),
            np.array(shouts, np.bool_),
        )

    def between(self, start_s: float, end_s: float) -> ChatLog:
        """The lines of a stretch of the stream, by time."""
        inside = np.flatnonzero((self.times_s >= start_s) & (self.times_s < end_s))
        order = inside[np.argsort(self.times_s[inside], kind="stable")]
        return ChatLog(
            self.times_s[order], self.users[order], self.texts[order], self.laughs[order], self.shouts[order]
        )

    @property
    def per_hour(self) -> float:
        """Lines an hour from the first to the last; 0 without any."""
        if not len(self):
            return 0.0
        return 3600 * len(self) / max(float(np.ptp(self.times_s)), SHORTEST_S)


def chat_signals(log: ChatLog, first_tick: int, stop_tick: int, *, lag_s: float) -> Timeline:
    """The columns `CHAT_NAMES` over a stretch of a stream.

    Args:
        log: the chat; lines outside the stretch and its answers are left out.
        first_tick, stop_tick: the stretch, in absolute ticks.
        lag_s: how long after a moment the chat answers it.

    Returns:
        NaN where the chat does not reach, and everywhere for one of fewer than `LEAST_PER_HOUR` lines an hour.
    """
    timeline = Timeline.unknown(CHAT_NAMES, first_tick, stop_tick)
    start_s, end_s = timeline.start_s, timeline.end_s
    half = round(AROUND_S / 2 / TICK_S)
    log = log.between(start_s - AROUND_S, end_s + lag_s + AROUND_S)
    if not len(timeline) or log.per_hour < LEAST_PER_HOUR:
        return timeline
    width = 2 * half + 1
    # Ticks count from the first window's beginning, so that windows and lines stay inside the arrays.
    ticks = np.floor((log.times_s - lag_s - start_s) / TICK_S).astype(np.int64)
    near = (ticks >= -half) & (ticks < len(timeline) + half)
    ticks = ticks[near]
    begin, stop = np.clip(ticks - half, 0, None), np.clip(ticks + half + 1, 0, len(timeline))
    users, texts = log.users[near], log.texts[near]
    lines = _covered(begin, stop, np.ones(len(ticks)), len(timeline))
    known = np.flatnonzero(_reached(log, timeline, lag_s))
    columns = {
        "chat_rate": lines / (width * TICK_S),
        "chat_chatters": _distinct(users, begin, stop, len(timeline)),
        "chat_voices": _voices(texts, users, begin, stop, len(timeline)),
        "chat_laughs": _covered(begin, stop, log.laughs[near], len(timeline)) / (width * TICK_S),
        "chat_shouts": _covered(begin, stop, log.shouts[near], len(timeline)) / (width * TICK_S),
    }
    different = _distinct(texts, begin, stop, len(timeline))
    columns["chat_repeats"] = np.where(lines >= LEAST_LINES, 1 - different / np.maximum(lines, 1), np.nan)
    for place, name in enumerate(CHAT_NAMES):
        timeline.values[known, place] = columns[name][known]
    return timeline


def _reached(log: ChatLog, timeline: Timeline, lag_s: float) -> NDArray[np.bool_]:
    """Ticks whose answers lie between the first line and the last, or the near end of the stream."""
    first_s, last_s = float(log.times_s[0]), float(log.times_s[-1])
    if first_s <= timeline.start_s + WHOLE_S:
        first_s = timeline.start_s
    if last_s >= timeline.end_s - WHOLE_S:
        last_s = max(last_s, timeline.end_s)
    answered_s = timeline.start_s + (np.arange(len(timeline)) + 0.5) * TICK_S + lag_s
    return np.asarray((answered_s >= first_s) & (answered_s <= last_s))


def _covered(begin: Ints, stop: Ints, weights: NDArray[np.generic], ticks: int) -> FloatArray:
    """Per tick the sum of the weights of all intervals over it."""
    steps = np.bincount(begin, weights, ticks + 1) - np.bincount(stop, weights, ticks + 1)
    return np.cumsum(steps[:ticks]).round(6).astype(np.float32)


def _distinct(keys: Ints, begin: Ints, stop: Ints, ticks: int) -> FloatArray:
    """Per tick how many different keys have an interval over it; the intervals of a key are given by time."""
    begin, stop, _ = _joined(np.argsort(keys, kind="stable"), [keys], begin, stop)
    return _covered(begin, stop, np.ones(len(begin)), ticks)


def _voices(texts: Ints, users: Ints, begin: Ints, stop: Ints, ticks: int) -> FloatArray:
    """Per tick the sum over texts of the square root of how many people say them."""
    order = np.lexsort((begin, users, texts))
    begin, stop, order = _joined(order, [texts, users], begin, stop)
    text = np.tile(texts[order], 2)
    at, change = np.concatenate([begin, stop]), np.repeat([1, -1], len(begin))
    by_time = np.lexsort((at, text))
    text, at, change = text[by_time], at[by_time], change[by_time]
    # Each text comes and goes, so what is left of all texts before it is nobody.
    people = np.cumsum(change)
    steps = np.sqrt(people) - np.sqrt(people - change)
    return np.cumsum(np.bincount(at, steps, ticks + 1)[:ticks]).round(6).astype(np.float32)


def _joined(order: NDArray[np.intp], keys: list[Ints], begin: Ints, stop: Ints) -> tuple[Ints, Ints, NDArray[np.intp]]:
    """Intervals of the same keys, one after another, cut so that they do not overlap; in the given order."""
    begin, stop = begin[order].copy(), stop[order]
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    begin[1:] = np.where(same, np.maximum(begin[1:], stop[:-1]), begin[1:])
    return begin, stop, order
