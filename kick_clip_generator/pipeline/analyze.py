"""The straight line: a source's windows become features, scores and highlights."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import Detection, Source, Span, Window, plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import FloatArray, Timeline, first_tick_at, tick_containing
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.detect import DetectionConfig, detect
from kick_clip_generator.media.commands import Pictures
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.effort import choose_effort, dense_windows, filled, overlay
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.ticks import measure
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.pipeline.workspace import workspace
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.tracks import Tracks, open_tracks


@dataclass(frozen=True, slots=True)
class Analysis:
    """What analysing a source gave.

    Attributes:
        timeline: features of the analysed span.
        detection: its highlights.
        windows: how many ended in each status ("done", "partial", "failed"), in the first pass where there are two.
        traffic: what this run asked of servers; windows finished by an earlier run cost nothing.
    """

    timeline: Timeline
    detection: Detection
    windows: Mapping[str, int]
    traffic: Traffic


def analyzed_span(source: Source, wanted: Span | None, settings: Settings) -> tuple[Span, tuple[str, ...]]:
    """The part of a source to analyse, and sentences about what is left out.

    Raises:
        SourceError: when the wanted span lies behind the end of the source.
    """
    start_s = wanted.start_s if wanted else 0.0
    end_s = wanted.end_s if wanted else math.inf
    if not math.isnan(source.duration_s):
        if start_s >= source.duration_s:
            raise SourceError(
                f"The stream is {source.duration_s / 60:.1f} minutes long, so nothing lies after minute "
                f"{start_s / 60:g}; choose an earlier --start-minute.",
                outcome="out_of_range",
            )
        end_s = min(end_s, source.duration_s)
    limit_s = start_s + settings.max_stream_duration
    if end_s <= limit_s:
        return Span(start_s, end_s), ()
    if math.isnan(source.duration_s):
        return Span(start_s, limit_s), ()
    note = (
        f"Only {settings.max_stream_duration / 60:g} of {(end_s - start_s) / 60:.0f} minutes were analysed "
        "(MAX_STREAM_DURATION); raise it to go further."
    )
    return Span(start_s, limit_s), (note,)


def windows_of(source: Source, span: Span, settings: Settings) -> list[Window]:
    """The windows that hold a span. They end with the source, not with the span, so that another span shares them."""
    end_s = span.end_s if math.isnan(source.duration_s) else source.duration_s
    windows = plan_windows(span.start_s, end_s, length_s=settings.chunk_duration, overlap_s=settings.chunk_overlap)
    return [window for window in windows if window.own_start_s < span.end_s]


def analyze(
    source: Source,
    span: Span,
    *,
    settings: Settings,
    config: DetectionConfig,
    scorer: Scorer | None,
    finished: Callable[[Pictures], Mapping[int, tuple[int, FloatArray]]],
    on_window: Callable[[Pictures, WindowResult], None],
    progress: ProgressCallback,
    cancel: CancelToken,
) -> Analysis:
    """Measure the windows that are not finished yet, then find the highlights of the whole span.

    Args:
        source: a resolved source; its cheapest rendition is read.
        span: what to analyse, see `analyzed_span`.
        settings: checked settings.
        config: detection parameters.
        scorer: the learned part, if there is one.
        finished: windows of an earlier run that decoded these pictures: n to (first tick, rows).
        on_window: called with each window as it is finished, in order of each pass; what it raises ends the run.
        progress: told after each window.
        cancel: ends the run between windows.

    Raises:
        SourceError: when not one window could be had.
        SourceLost: when the network or the source is gone; finished windows are kept.
        Cancelled: when the token is up.
    """
    windows = windows_of(source, span, settings)
    timeline = Timeline.unknown(NAMES, first_tick_at(span.start_s), tick_containing(span.end_s))
    effort = choose_effort(source, for_analysis(source, settings), settings)
    with _Passes(source, settings, finished, on_window, progress, cancel) as passes:
        counts = passes.measure(effort.first, windows, timeline)
        if math.isnan(source.duration_s):
            timeline = timeline.between(timeline.start_s, passes.last_tick * 0.5)
        if effort.second is not None:
            dense = dense_windows(timeline, windows, config)
            timeline = filled(timeline)
            passes.measure(effort.second, dense, timeline)
        traffic = passes.traffic
    return Analysis(timeline, detect(timeline, config, scorer), counts, traffic)


class _Passes:
    """Measures windows, once or twice, through one rendition that is opened when the first of them needs it."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        finished: Callable[[Pictures], Mapping[int, tuple[int, FloatArray]]],
        on_window: Callable[[Pictures, WindowResult], None],
        progress: ProgressCallback,
        cancel: CancelToken,
    ) -> None:
        self._source = source
        self._settings = settings
        self._finished = finished
        self._on_window = on_window
        self._progress = progress
        self._cancel = cancel
        self._opened = contextlib.ExitStack()
        self._tracks: Tracks | None = None
        self._folder = Path()
        self.last_tick = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def traffic(self) -> Traffic:
        return self._tracks.traffic if self._tracks is not None else Traffic()

    def measure(self, pictures: Pictures, windows: Sequence[Window], timeline: Timeline) -> dict[str, int]:
        """Put what windows give into a timeline; how many ended in each status.

        Raises:
            As `analyze`.
        """
        finished = self._finished(pictures)
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
        meter = _Meter(len(windows), counts["done"], self._progress)
        tracks = self._open()
        ffmpeg = str(ffmpeg_path(self._settings.ffmpeg_path))
        options = DecodeOptions(ffmpeg, self._settings.frame_rate_hz, self._folder, pictures)
        try:
            for result in measure(tracks, todo, options=options, cancel=self._cancel):
                overlay(timeline, result.first_tick, result.rows)
                counts[result.status] += 1
                last_error = str(result.detail.get("error", last_error))
                self.last_tick = max(self.last_tick, result.first_tick + len(result.rows))
                self._on_window(pictures, result)
                meter.finished(result)
        except SourceLost as error:
            kept = counts["done"]
            message = f"{error} {kept:,} of {len(windows):,} windows are kept; the same command goes on from there."
            raise SourceLost(message, outcome=error.outcome, retryable=True) from error
        if counts["failed"] and not counts["done"] and not counts["partial"]:
            raise SourceError(
                f"Not one of {counts['failed']} windows could be read; the last said: {last_error}",
                outcome="unreadable",
                retryable=True,
            )
        return counts

    def _open(self) -> Tracks:
        if self._tracks is None:
            self._folder = self._opened.enter_context(workspace(self._settings.temp_dir))
            rendition = for_analysis(self._source, self._settings)
            tracks = open_tracks(self._source, rendition, self._settings, self._cancel)
            self._tracks = self._opened.enter_context(tracks)
        return self._tracks


class _Meter:
    """Turns finished windows into progress."""

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
        left = self._total - self._done
        self._progress(
            Progress(
                step="analyze",
                done=self._done,
                total=self._total,
                stream_s=result.window.end_s,
                speed=self._stream_s / wall_s,
                eta_s=left * wall_s / self._here,
                message=f"window {result.window.n} was {result.status}" if result.status != "done" else "",
            )
        )
