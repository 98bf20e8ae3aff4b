"""Progress on a terminal: a live bar, or plain lines where nobody is watching."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm

from kick_clip_generator.core.progress import Progress
from kick_clip_generator.core.timeline import clock

TITLES = {
    "demo": "Making the demo",
    "resolve": "Resolving",
    "download": "Downloading",
    "analyze": "Analysing",
    "clips": "Cutting",
    "verify": "Checking",
    "export": "Exporting",
}
PLAIN_LINE_EVERY_S = 5.0


class ProgressBar:
    """Shows `Progress` of any step; `show` is the callback to hand down."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._bar: Any = None
        self._step = ""
        self._said_at_s = -math.inf

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def show(self, progress: Progress) -> None:
        if self._quiet:
            return
        if self._live:
            self._draw(progress)
        else:
            self._say(progress)

    def _draw(self, progress: Progress) -> None:
        if progress.step != self._step:
            self._close()
            self._step = progress.step
            if progress.step == "done":
                return
            self._bar = tqdm(
                total=progress.total or None,
                desc=TITLES.get(progress.step, progress.step),
                file=sys.stderr,
                bar_format="{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}{postfix}"
                if progress.total
                else "{desc} …",
                dynamic_ncols=True,
            )
        if self._bar is not None:
            self._bar.n = progress.done
            self._bar.set_postfix_str(_details(progress), refresh=True)

    def _say(self, progress: Progress) -> None:
        now_s = time.monotonic()
        last = bool(progress.total) and progress.done == progress.total
        if progress.step == "done":
            return
        if progress.step == self._step and not last and now_s - self._said_at_s < PLAIN_LINE_EVERY_S:
            return
        self._step = progress.step
        self._said_at_s = now_s
        counts = f" {progress.done}/{progress.total}" if progress.total else ""
        details = _details(progress)
        line = f"{TITLES.get(progress.step, progress.step)}{counts}{', ' + details if details else ''}"
        print(line, file=sys.stderr, flush=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _details(progress: Progress) -> str:
    parts: list[str] = []
    if not math.isnan(progress.stream_s):
        parts.append(f"stream {clock(progress.stream_s)}")
    if not math.isnan(progress.speed):
        parts.append(f"{progress.speed:.0f}× real time")
    if not math.isnan(progress.eta_s):
        parts.append(f"ETA {clock(progress.eta_s)}")
    if progress.message:
        parts.append(progress.message)
    return ", ".join(parts)
