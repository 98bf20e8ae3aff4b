"""One or two looks at a source's windows, through one rendition that is opened when the first of them needs it."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.records import Source, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import FloatArray, Timeline
from kick_clip_generator.media.commands import Pictures
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.hardware import Accelerator, choose, trials
from kick_clip_generator.pipeline.effort import is_large, overlay
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.parallel import Measure, measure_in_parallel
from kick_clip_generator.pipeline.ticks import batches, measure
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.pipeline.workspace import workspace
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.tracks import Tracks, open_tracks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pass:
    """What is measured of a window.

    Attributes:
        pictures: which ones are decoded.
        extended: the extended signals instead of the core's; they choose their pictures themselves.
    """

    pictures: Pictures
    extended: bool = False


# What other processes measured of these windows, in order, of so many in all; None where it has to be done here.
Elsewhere = Callable[[Pass, Sequence[Window], int], Generator[WindowResult] | None]


class Passes:
    """Measures windows, once or twice, through one rendition that is opened when the first of them needs it."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        finished: Callable[[Pass], Mapping[int, tuple[int, FloatArray]]],
        on_window: Callable[[Pass, WindowResult], None],
        progress: ProgressCallback,
        cancel: CancelToken,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._source = source
        self._settings = settings
        self._finished = finished
        self._on_window = on_window
        self._progress = progress
        self._cancel = cancel
        self._elsewhere = elsewhere
        self._opened = contextlib.ExitStack()
        self._folder: Path | None = None
        self._accelerator: Accelerator | None = None
        self._lock = threading.Lock()
        self.traffic = Traffic()
        self.last_tick = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def measure(self, what: Pass, windows: Sequence[Window], timeline: Timeline) -> dict[str, int]:
        """Put what windows give into a timeline; how many ended in each status.

        Raises:
            As `analyze`.
        """
        finished = self._finished(what)
        wanted = {window.n for window in windows}
        for n, (first_tick, rows) in finished.items():
            self.last_tick = max(self.last_tick, first_tick + len(rows))
            if n in wanted:
                overlay(timeline, first_tick, rows)
        todo = [window for window in windows if window.n not in finished]
        counts = {"done": len(windows) - len(todo), "partial": 0, "failed": 0}
        if not todo:
            return counts
        last_error = ""
        meter = _Meter(0 if math.isnan(self._source.duration_s) else len(windows), counts["done"], self._progress)
        try:
            # Closed at once, whatever happens: behind it are processes and threads.
            with contextlib.closing(self._results(what, todo, len(windows))) as results:
                for result in results:
                    overlay(timeline, result.first_tick, result.rows)
                    counts[result.status] += 1
                    last_error = str(result.detail.get("error", last_error))
                    self.last_tick = max(self.last_tick, result.first_tick + len(result.rows))
                    self._on_window(what, result)
                    meter.finished(result)
        except SourceLost as error:
            message = f"{error} {counts['done']:,} windows are kept; the same command goes on from there."
            raise SourceLost(message, outcome=error.outcome, retryable=True) from error
        if counts["failed"] and not counts["done"] and not counts["partial"]:
            raise SourceError(
                f"Not one of {counts['failed']} windows could be read; the last said: {last_error}",
                outcome="unreadable",
                retryable=True,
            )
        return counts

    def _results(self, what: Pass, todo: Sequence[Window], total: int) -> Generator[WindowResult]:
        if self._elsewhere is not None and not math.isnan(self._source.duration_s):
            given = self._elsewhere(what, todo, total)
            if given is not None:
                return given
        if self._folder is None:
            self._folder = self._opened.enter_context(workspace(self._settings.temp_dir))
        ffmpeg = str(ffmpeg_path(self._settings.ffmpeg_path))
        if self._accelerator is None:
            self._accelerator = self._choose_accelerator(ffmpeg)
        # The closer look reads a window once; it does not go back to it in software.
        accelerator = Accelerator() if what.extended else self._accelerator
        options = DecodeOptions(ffmpeg, self._settings.frame_rate_hz, self._folder, what.pictures, accelerator)
        # Over a network the lead-in of each batch would be fetched twice, and one reader already feeds all decoders.
        alone = self._source.kind != "file" or math.isnan(self._source.duration_s)
        workers = 1 if alone else min(self._settings.max_workers, len(batches(todo)))
        if workers > 1:
            return measure_in_parallel(
                self._open, todo, workers=workers, options=options, cancel=self._cancel, measure=_measure_of(what)
            )
        return self._one_after_another(what, todo, options)

    def _choose_accelerator(self, ffmpeg: str) -> Accelerator:
        wanted = self._settings.hwaccel
        # What a device spoils is read once more, which a running stream does not allow.
        if wanted == "none" or self._source.live or not is_large(for_analysis(self._source, self._settings)):
            return Accelerator()
        name, note = choose(wanted, trials(ffmpeg, self._settings.feature_dir))
        if note:
            log.warning(note)
        elif name:
            log.info("Pictures are decoded with %s", name)
        return Accelerator(name)

    def _one_after_another(self, what: Pass, todo: Sequence[Window], options: DecodeOptions) -> Generator[WindowResult]:
        with self._open(self._cancel) as tracks:
            yield from _measure_of(what)(tracks, todo, options=options, cancel=self._cancel)

    @contextlib.contextmanager
    def _open(self, cancel: CancelToken) -> Iterator[Tracks]:
        with open_tracks(self._source, for_analysis(self._source, self._settings), self._settings, cancel) as tracks:
            try:
                yield tracks
            finally:
                with self._lock:
                    self.traffic += tracks.traffic


def _measure_of(what: Pass) -> Measure:
    if not what.extended:
        return measure
    # Those who do without the extended signals do not load what they need.
    from kick_clip_generator.pipeline.closer_look import look_closer

    return look_closer


class _Meter:
    """Turns finished windows into progress.

    Args:
        total: windows in all; 0 when not known.
        already: those that an earlier run finished.
    """

    def __init__(self, total: int, already: int, progress: ProgressCallback) -> None:
        self._total = total
        self._done = already
        self._began_s = time.monotonic()
        self._stream_s = 0.0
        self._here = 0
        self._progress = progress
        progress(Progress("analyze", already, total, 0.0))

    def finished(self, result: WindowResult) -> None:
        self._done += 1
        self._here += 1
        self._stream_s += result.window.owned.duration_s
        wall_s = max(time.monotonic() - self._began_s, 1e-6)
        self._progress(
            Progress(
                step="analyze",
                done=self._done,
                total=self._total,
                stream_s=result.window.end_s,
                speed=self._stream_s / wall_s,
                eta_s=(self._total - self._done) * wall_s / self._here if self._total else math.nan,
                message=f"window {result.window.n} was {result.status}" if result.status != "done" else "",
            )
        )
