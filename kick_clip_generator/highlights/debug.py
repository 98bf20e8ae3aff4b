"""All that a run of the detection found and threw away, as one JSON document that users script against."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import Reason, Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.highlights.anchors import Anchor
from kick_clip_generator.highlights.boundaries import Boundaries
from kick_clip_generator.highlights.config import DetectionConfig, Mode, V1Config, V2Config
from kick_clip_generator.highlights.filters import Decision, Proposal, Stage
from kick_clip_generator.highlights.medians import medians
from kick_clip_generator.highlights.quality import Quality
from kick_clip_generator.highlights.segmentation import Segmentation

# Changes when a key gets another meaning or goes; new keys may come at any time.
DOCUMENT_VERSION = 1


def debug_name(mode: Mode) -> str:
    """`segmentation_<mode>_debug.json`."""
    return f"segmentation_{mode}_debug.json"


def debug_document(segmentation: Segmentation, timeline: Timeline) -> dict[str, Any]:
    """How the highlights of a stream were found, ready for strict JSON: what is not known is None.

    Args:
        segmentation: a run of the detection.
        timeline: what it was run on.

    Returns:
        `config`, `feature_summary`, `anchors`, `boundaries`, `windows` (before any filter), `filter_report` (by stage),
        `merged` (clips of a moment that another one shows), `final_clips` (those of `detection.merged`) and `notes`.
        Times are seconds of the stream; a clip has one `clip_index` in all of them.
    """
    return {
        "version": DOCUMENT_VERSION,
        "mode": segmentation.config.mode,
        "stream": {
            "start_sec": timeline.start_s,
            "end_sec": timeline.end_s,
            "step_sec": TICK_S,
            "ticks": len(timeline),
        },
        "config": _config(segmentation.config),
        "feature_summary": {name: summary(timeline.values[:, column]) for column, name in enumerate(timeline.names)},
        "excitement_summary": {name: summary(curve) for name, curve in segmentation.excitement.items()},
        "anchors": [_anchor(anchor) for anchor in segmentation.anchors],
        "boundaries": _boundaries(segmentation, timeline),
        "windows": [_window(proposal, segmentation.boundaries, timeline) for proposal in segmentation.proposals],
        "filter_report": _filter_report(segmentation.decisions),
        "merged": _merged(segmentation),
        "final_clips": [
            {
                "clip_index": clip.index,
                **clip.highlight.to_dict(),
                "quality": _quality(clip.quality),
            }
            for clip in segmentation.clips
        ],
        "notes": list(segmentation.detection.notes),
    }


def summary(values: NDArray[np.floating]) -> dict[str, float | None]:
    """What there is to know of one signal at a glance: how much of it is known, and its level and spread.

    Args:
        values: shape `(ticks,)`, NaN where unknown.
    """
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known):
        return {"known": 0.0, "median": None, "mad": None, "min": None, "max": None}
    median = float(medians(known[None])[0])
    return {
        "known": round(len(known) / len(values), 4),
        "median": number(median),
        "mad": number(float(medians(np.abs(known - median)[None])[0])),
        "min": number(float(known.min())),
        "max": number(float(known.max())),
    }


def number(value: float, digits: int = 6) -> float | None:
    """Rounded; None for what JSON has no number for."""
    return round(float(value), digits) if math.isfinite(value) else None


def _config(config: DetectionConfig) -> dict[str, Any]:
    """Every parameter under its own name, those of both modes beside the common ones."""
    flat: dict[str, Any] = {}
    for part in (config, config.v2, config.v1):
        for parameter in fields(part):
            value = getattr(part, parameter.name)
            if not isinstance(value, V2Config | V1Config):
                flat[parameter.name] = dict(value) if isinstance(value, Mapping) else value
    return flat


def _anchor(anchor: Anchor) -> dict[str, Any]:
    return {
        "time_sec": number(anchor.peak_s, 3),
        "score": number(anchor.score),
        "kind": anchor.medium,
        "reason": anchor.reason,
        "reasons": _reasons(anchor.reasons),
        "event_start": number(anchor.event.start_s, 3),
        "event_end": number(anchor.event.end_s, 3),
    }


def _reasons(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    return [
        {"signal": reason.signal, "contribution": number(reason.contribution), "text": reason.text}
        for reason in reasons
    ]


def _boundaries(segmentation: Segmentation, timeline: Timeline) -> list[dict[str, Any]]:
    """The best place of each neighborhood, with what made it one; a stream has ten times as many ticks."""
    boundaries = segmentation.boundaries
    if boundaries is None:
        return []
    ticks = boundaries.candidates(segmentation.config.v2.boundary_min_score)
    columns = {name: np.clip(curve[ticks], 0, 1).tolist() for name, curve in boundaries.components.items()}
    return [
        {
            "time_sec": timeline.start_s + tick * TICK_S,
            "score": number(float(boundaries.scores[tick]), 4),
            **{name: number(column[place], 4) for name, column in columns.items()},
        }
        for place, tick in enumerate(ticks)
    ]


def _window(proposal: Proposal, boundaries: Boundaries | None, timeline: Timeline) -> dict[str, Any]:
    clip = proposal.highlight.clip
    return {
        "clip_index": proposal.index,
        "start": number(clip.start_s, 3),
        "end": number(clip.end_s, 3),
        "anchor": number(proposal.highlight.peak_s, 3),
        "kind": proposal.highlight.kind,
        "score": number(proposal.highlight.score),
        "heuristic_score": number(proposal.highlight.heuristic_score),
        "ml_score": number(proposal.highlight.ml_score),
        "quality": _quality(proposal.quality),
        **_end_scores(clip, boundaries, timeline),
    }


def _end_scores(clip: Span, boundaries: Boundaries | None, timeline: Timeline) -> dict[str, float | None]:
    if boundaries is None:
        return {"start_boundary_score": None, "end_boundary_score": None}
    start, end = (
        boundaries.scores[min(max(round((time_s - timeline.start_s) / TICK_S), 0), len(boundaries.scores) - 1)]
        for time_s in (clip.start_s, clip.end_s)
    )
    return {"start_boundary_score": number(float(start), 4), "end_boundary_score": number(float(end), 4)}


def _quality(quality: Quality | None) -> dict[str, float | None] | None:
    return None if quality is None else {name: number(value) for name, value in asdict(quality).items()}


def _filter_report(decisions: Sequence[Decision]) -> dict[str, list[dict[str, Any]]]:
    report: dict[str, list[dict[str, Any]]] = {stage: [] for stage in get_args(Stage)}
    for decision in decisions:
        report[decision.stage].append(
            {"clip_index": decision.clip_index, "action": decision.action, "reason": decision.reason}
        )
    return report


def _merged(segmentation: Segmentation) -> list[dict[str, Any]]:
    """What passed the filters and is no clip of its own: the other medium found the same moment."""
    compared = [decision.clip_index for decision in segmentation.decisions if decision.stage == "overlap"]
    passed = {decision.clip_index for decision in segmentation.decisions if decision.stage == "cap" and decision.kept}
    moments = {proposal.index: proposal.highlight.event for proposal in segmentation.proposals}
    return [
        {"clip_index": index, "into": next((n for n in compared if moments[n].same_moment(moments[index])), None)}
        for index in sorted(passed - set(compared))
    ]
