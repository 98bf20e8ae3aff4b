"""Signals over time: an array that travels with its clock.

One grid for every signal: tick k covers `[k * TICK_S, (k + 1) * TICK_S)` of absolute stream time. A value that is not
known is NaN. The idea is `SlidingWindowFeature` of pyannote-core, with the grid fixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

TICK_S = 0.5


def first_tick_at(time_s: float) -> int:
    """The first tick that starts at or after `time_s`."""
    return math.ceil(time_s / TICK_S - 1e-6)


def tick_containing(time_s: float) -> int:
    """The tick whose half-open span contains `time_s`."""
    return math.floor(time_s / TICK_S + 1e-6)


def clock(time_s: float) -> str:
    """A time for people: `h:mm:ss`, or `m:ss` under an hour; "?" when not known."""
    if not math.isfinite(time_s):
        return "?"
    hours, rest = divmod(round(time_s), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Features of a stretch of a stream.

    Attributes:
        names: one name per column.
        values: float32, shape `(ticks, len(names))`, NaN where unknown.
        first_tick: absolute index of row 0.

    Raises:
        ValueError: when the shape does not fit the names.
    """

    names: tuple[str, ...]
    values: FloatArray
    first_tick: int = 0

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ValueError(f"expected values of shape (ticks, {len(self.names)}), got {self.values.shape}")

    @classmethod
    def unknown(cls, names: Sequence[str], first_tick: int, stop_tick: int) -> Timeline:
        """A timeline of NaN over `[first_tick, stop_tick)`, to be filled with `put`."""
        ticks = max(0, stop_tick - first_tick)
        return cls(tuple(names), np.full((ticks, len(names)), np.nan, np.float32), first_tick)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def stop_tick(self) -> int:
        return self.first_tick + len(self)

    @property
    def start_s(self) -> float:
        return self.first_tick * TICK_S

    @property
    def end_s(self) -> float:
        return self.stop_tick * TICK_S

    @property
    def duration_s(self) -> float:
        return len(self) * TICK_S

    def column(self, name: str) -> FloatArray:
        """One signal, shape `(ticks,)`; all NaN when this timeline has no such signal."""
        if name not in self.names:
            return np.full(len(self), np.nan, np.float32)
        return self.values[:, self.names.index(name)]

    def put(self, first_tick: int, rows: FloatArray) -> None:
        """Write rows that start at absolute `first_tick`; what lies outside is left out."""
        low = max(first_tick, self.first_tick)
        high = min(first_tick + len(rows), self.stop_tick)
        if high > low:
            self.values[low - self.first_tick : high - self.first_tick] = rows[low - first_tick : high - first_tick]

    def between(self, start_s: float, end_s: float) -> Timeline:
        """The ticks that start in `[start_s, end_s)`, as a view."""
        low = min(max(first_tick_at(start_s), self.first_tick), self.stop_tick)
        high = min(max(first_tick_at(end_s), low), self.stop_tick)
        return Timeline(self.names, self.values[low - self.first_tick : high - self.first_tick], low)
