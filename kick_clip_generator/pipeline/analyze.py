"""The straight line: a source's windows become features, scores and highlights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.progress import CancelToken, ProgressCallback
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import Detection, Source, Span, Window, plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import FloatArray, Timeline, first_tick_at, tick_containing
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.detect import DetectionConfig, detect
from kick_clip_generator.media.commands import Pictures
from kick_clip_generator.pipeline.effort import choose_effort, dense_windows, filled
from kick_clip_generator.pipeline.passes import Passes
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.renditions import for_analysis


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
    with Passes(source, settings, finished, on_window, progress, cancel) as passes:
        counts = passes.measure(effort.first, windows, timeline)
        if math.isnan(source.duration_s):
            timeline = timeline.between(timeline.start_s, passes.last_tick * 0.5)
        if effort.second is not None:
            dense = dense_windows(timeline, windows, config)
            timeline = filled(timeline)
            passes.measure(effort.second, dense, timeline)
        traffic = passes.traffic
    return Analysis(timeline, detect(timeline, config, scorer), counts, traffic)
