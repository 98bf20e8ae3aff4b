"""What happens in the demo stream, and when: the truth that a detector can be held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
DemoKind = Literal["both", "audio", "video", "engine", "cuts"]
SLOTS: tuple[DemoKind, ...] = ("both", "engine", "audio", "both", "cuts", "video", "both")
SLOT_S = 25.0
CAPTIONS = {"both": "GOAL!", "audio": "CROWD CHEERS", "video": "FAST BREAK", "engine": "ENGINE", "cuts": "REPLAYS"}


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """One thing that happens.

    Attributes:
        start_s, end_s: half-open, in seconds of the stream.
        kind: "both" (action and crowd), "audio" (crowd alone) and "video" (action alone) are highlights; "engine" and
            "cuts" are distractors.
    """

    start_s: float
    end_s: float
    kind: DemoKind

    @property
    def highlight(self) -> bool:
        return self.kind in ("both", "audio", "video")


def demo_events(seed: int = 0, duration_s: float = 180.0) -> list[DemoEvent]:
    """What happens in the demo, in order: about one thing in 25 s."""
    rng = np.random.default_rng([seed, 1])
    count = max(1, int(duration_s // SLOT_S))
    slot_s = duration_s / count
    events = []
    for n in range(count):
        length_s = min(float(rng.uniform(7.0, 10.0)), slot_s * 0.4)
        start_s = slot_s * (n + float(rng.uniform(0.3, 0.55)))
        events.append(DemoEvent(round(start_s, 1), round(start_s + length_s, 1), SLOTS[n % len(SLOTS)]))
    return events


def _swell(event: DemoEvent, times_s: Floats) -> Floats:
    """0 outside an event, rising to 1 within a second, ebbing away over its last third."""
    fall_s = (event.end_s - event.start_s) / 3
    rising = np.clip(times_s - event.start_s, 0, 1)
    return np.asarray(rising * np.clip((event.end_s - times_s) / fall_s, 0, 1), np.float32)


def excitement(events: list[DemoEvent], times_s: Floats, *kinds: DemoKind) -> Floats:
    total = np.zeros_like(times_s)
    for event in events:
        if event.kind in kinds:
            total += _swell(event, times_s)
    return total
