"""The straight line: a source's windows become features, scores and highlights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kick_clip_generator.core.errors import InputError, SourceError
from kick_clip_generator.core.progress import CancelToken, ProgressCallback
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import Detection, Source, Span, Window, plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import FloatArray, Timeline, first_tick_at, tick_containing
from kick_clip_generator.features.registry import EXTENDED_NAMES, NAMES
from kick_clip_generator.highlights.config import DetectionConfig
from kick_clip_generator.highlights.detect import segment
from kick_clip_generator.highlights.segmentation import Segmentation
from kick_clip_generator.pipeline.chat import chat_columns, read_chat
from kick_clip_generator.pipeline.effort import choose_effort, filled, glimpse_distance_s
from kick_clip_generator.pipeline.passes import Elsewhere, Pass, Passes
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.renditions import for_analysis


@dataclass(frozen=True, slots=True)
class Analysis:
    """What analysing a source gave.

    Attributes:
        timeline: features of the analysed span.
        segmentation: its highlights, and how they were found.
        windows: how many ended in each status ("done", "partial", "failed"), in the last pass over all of them.
        traffic: what this run asked of servers; windows finished by an earlier run cost nothing.
        signals: all that was measured: behind the core's columns those of the chat, where there is one, and the
            extended ones.
        extended: the extended signals over the same span, NaN outside the windows that were looked at; None where
            `SIGNALS` asks for none, or a running stream can have none.
        notes: sentences for the user.
    """

    timeline: Timeline
    segmentation: Segmentation
    windows: Mapping[str, int]
    traffic: Traffic
    signals: Timeline
    extended: Timeline | None = None
    notes: tuple[str, ...] = ()

    @property
    def detection(self) -> Detection:
        """The highlights."""
        return self.segmentation.detection


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
    finished: Callable[[Pass], Mapping[int, tuple[int, FloatArray]]],
    on_window: Callable[[Pass, WindowResult], None],
    progress: ProgressCallback,
    cancel: CancelToken,
    chat: Path | None = None,
    elsewhere: Elsewhere | None = None,
) -> Analysis:
    """Measure the windows that are not finished yet, then find the highlights of the whole span.

    Args:
        source: a resolved source; its cheapest rendition is read.
        span: what to analyse, see `analyzed_span`.
        settings: checked settings.
        config: detection parameters.
        scorer: the learned part, if there is one.
        finished: windows of an earlier run that measured the same: n to (first tick, rows).
        on_window: called with each window as it is finished, in order of each pass; what it raises ends the run.
        progress: told after each window.
        cancel: ends the run between windows.
        chat: a file of what viewers wrote, see `sources.chat_file`.
        elsewhere: asked first for windows that are to be measured; what it raises ends the run.

    Raises:
        InputError: when the chat cannot be read, or the stream is running.
        SourceError: when not one window could be had.
        SourceLost: when the network or the source is gone; finished windows are kept.
        Cancelled: when the token is up.
    """
    if chat is not None and source.live:
        raise InputError(
            "A chat belongs to a recording: the times of a running stream count from when it was opened; leave it out."
        )
    # Before an hour of work, for it may be no chat at all.
    log, notes = read_chat(chat) if chat is not None else (None, ())
    windows = windows_of(source, span, settings)
    timeline = Timeline.unknown(NAMES, first_tick_at(span.start_s), tick_containing(span.end_s))
    effort = choose_effort(source, for_analysis(source, settings), settings)
    with Passes(source, settings, finished, on_window, progress, cancel, elsewhere) as passes:
        counts = passes.measure(Pass(effort.first), windows, timeline)
        if math.isnan(source.duration_s):
            timeline = timeline.between(timeline.start_s, passes.last_tick * 0.5)
        if effort.second is not None:
            if glimpse_distance_s(timeline) > effort.apart_s:
                timeline = Timeline.unknown(NAMES, timeline.first_tick, timeline.stop_tick)
                counts = passes.measure(Pass(effort.second), windows, timeline)
            else:
                timeline = filled(timeline)
        signals = timeline
        if log is not None:
            columns, said = chat_columns(log, timeline, lag_s=settings.chat_lag)
            signals, notes = signals if columns is None else beside(signals, columns), notes + said
        extended, said = _extended(source, settings, config, passes, signals, windows)
        traffic = passes.traffic
    if extended is not None:
        signals = beside(signals, extended)
    return Analysis(timeline, segment(signals, config, scorer), counts, traffic, signals, extended, notes + said)


def extended_pass(source: Source, settings: Settings) -> Pass | None:
    """The pass that measures the extended signals, if there is one."""
    return None if settings.signals == "core" or source.live else Pass("all", extended=True)


def _extended(
    source: Source,
    settings: Settings,
    config: DetectionConfig,
    passes: Passes,
    timeline: Timeline,
    windows: Sequence[Window],
) -> tuple[Timeline | None, tuple[str, ...]]:
    """The extended signals, if they are wanted, and what to tell the user of them."""
    if settings.signals == "core":
        return None, ()
    what = extended_pass(source, settings)
    if what is None:
        return None, ("The expensive signals (SIGNALS) are left out: a running stream is not looked at twice.",)
    from kick_clip_generator.features.extended import ExtendedExtractor
    from kick_clip_generator.pipeline.closer_look import promising_windows

    windows = [window for window in windows if window.own_start_s < timeline.end_s]
    if settings.signals == "candidates":
        windows = promising_windows(timeline, windows, config)
    extended = Timeline.unknown(EXTENDED_NAMES, timeline.first_tick, timeline.stop_tick)
    notes = tuple(dict.fromkeys(ExtendedExtractor().unavailable().values()))
    try:
        passes.measure(what, windows, extended)
    except SourceError as error:
        # What the core signals found stands.
        notes += (f"The expensive signals (SIGNALS) are incomplete: {error}",)
    return extended, ((" ".join(notes),) if notes else ())


def beside(timeline: Timeline, other: Timeline) -> Timeline:
    """One timeline with the columns of both, which cover the same span."""
    values = np.hstack([timeline.values, other.values])
    return Timeline(timeline.names + other.names, values, timeline.first_tick)
