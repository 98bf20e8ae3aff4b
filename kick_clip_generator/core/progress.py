"""Progress of long work: one callback passed in; stages know nothing of bars or browsers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from kick_clip_generator.core.errors import Cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: "demo", "resolve", "analyze", "clips", "verify", "export" or "done".
        done: units finished (seconds of the demo, windows while analysing, clips while cutting).
        total: units in all; 0 when not known.
        stream_s: seconds of the stream analysed so far.
        speed: stream seconds per wall second; NaN when not known.
        eta_s: seconds left; NaN when not known.
        message: a sentence for the user, may be empty.
    """

    step: str
    done: int = 0
    total: int = 0
    stream_s: float = float("nan")
    speed: float = float("nan")
    eta_s: float = float("nan")
    message: str = ""


ProgressCallback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A callback for callers who do not care."""


class CancelToken:
    """A flag that any thread may raise; long work looks at it at every step."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises:
        Cancelled: when the flag is up.
        """
        if self._event.is_set():
            raise Cancelled("Stopped; what was finished is kept, and the same command goes on from there.")
