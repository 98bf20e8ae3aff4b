"""The straight line: a source's windows become features, scores and highlights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import Detection, Source, Span, Window, plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import FloatArray, Timeline, first_tick_at, tick_containing
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.detect import DetectionConfig, detect
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.ticks import measure
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.pipeline.workspace import workspace
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.tracks import open_tracks


@dataclass(frozen=True, slots=True)
class Analysis:
    """What analysing a source gave.

    Attributes:
        timeline: features of the analysed span.
        detection: its highlights.
        windows: how many ended in each status ("done", "partial", "failed").
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
    finished: Mapping[int, tuple[int, FloatArray]],
    on_window: Callable[[WindowResult], None],
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
        finished: windows of an earlier run: n to (first tick, rows).
        on_window: called with each window as it is finished, in order; what it raises ends the run.
        progress: told after each window.
        cancel: ends the run between windows.

    Raises:
        SourceError: when not one window could be had.
        SourceLost: when the network or the source is gone; finished windows are kept.
        Cancelled: when the token is up.
    """
    windows = windows_of(source, span, settings)
    timeline = Timeline.unknown(NAMES, first_tick_at(span.start_s), tick_containing(span.end_s))
    for first_tick, rows in finished.values():
        timeline.put(first_tick, rows)
    todo = [window for window in windows if window.n not in finished]
    counts = {"done": len(windows) - len(todo), "partial": 0, "failed": 0}
    last_error = ""
    traffic = Traffic()

    if todo:
        meter = _Meter(len(windows), counts["done"], progress)
        last_tick = max((first + len(rows) for first, rows in finished.values()), default=timeline.first_tick)
        with (
            workspace(settings.temp_dir) as folder,
            open_tracks(source, for_analysis(source, settings), settings, cancel) as tracks,
        ):
            options = DecodeOptions(str(ffmpeg_path(settings.ffmpeg_path)), settings.frame_rate_hz, folder)
            try:
                for result in measure(tracks, todo, options=options, cancel=cancel):
                    timeline.put(result.first_tick, result.rows)
                    counts[result.status] += 1
                    last_error = str(result.detail.get("error", last_error))
                    last_tick = max(last_tick, result.first_tick + len(result.rows))
                    on_window(result)
                    meter.finished(result)
            except SourceLost as error:
                kept = counts["done"]
                message = f"{error} {kept:,} of {len(windows):,} windows are kept; the same command goes on from there."
                raise SourceLost(message, outcome=error.outcome, retryable=True) from error
            traffic = tracks.traffic
        if math.isnan(source.duration_s):
            timeline = timeline.between(timeline.start_s, last_tick * 0.5)
        if counts["failed"] and not counts["done"] and not counts["partial"]:
            raise SourceError(
                f"Not one of {counts['failed']} windows could be read; the last said: {last_error}",
                outcome="unreadable",
                retryable=True,
            )
    return Analysis(timeline, detect(timeline, config, scorer), counts, traffic)


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
