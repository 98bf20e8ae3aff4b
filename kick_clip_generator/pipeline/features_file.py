"""What was measured, as a JSON file to plot: `features/features_<mode>.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.features.derived import deltas
from kick_clip_generator.features.registry import FEATURES, FEATURES_VERSION, OTHER_FEATURES
from kick_clip_generator.highlights.config import Mode
from kick_clip_generator.highlights.normalized import normalized
from kick_clip_generator.pipeline.structure import structure_of

# Of the largest value of a signal; a chart shows fewer.
DIGITS = 5
Z_DECIMALS = 2


def features_name(mode: Mode) -> str:
    """`features_<mode>.json`."""
    return f"features_{mode}.json"


def features_json(timeline: Timeline) -> Iterator[str]:
    """The text of the file, in pieces of one signal, for all values of ten hours as Python numbers take 300 MB.

    Args:
        timeline: what was measured.

    Yields:
        A document with `step_sec`, `start_sec`, `ticks`, `signals` (name, unit, meaning, …), `structure` (see there),
        and `values`, `normalized` (robust standard deviations out of the surroundings) and `deltas` (local slopes per
        tick, of the MFCCs): a list per name, None where unknown.
    """
    head = {
        "version": FEATURES_VERSION,
        "step_sec": TICK_S,
        "start_sec": timeline.start_s,
        "end_sec": timeline.end_s,
        "ticks": len(timeline),
        "signals": _meanings(timeline),
        "structure": structure_of(timeline),
    }
    yield json.dumps(head, ensure_ascii=False, allow_nan=False)[:-1]
    yield from _columns("values", timeline, None)
    yield from _columns("normalized", normalized(timeline), Z_DECIMALS)
    mfcc = [place for place, name in enumerate(timeline.names) if name.startswith("mfcc_")]
    slopes = Timeline(tuple(timeline.names[place] for place in mfcc), deltas(timeline.values[:, mfcc]))
    yield from _columns("deltas", slopes, None)
    yield "}\n"


def _meanings(timeline: Timeline) -> list[dict[str, Any]]:
    known = {feature.name: feature for feature in (*FEATURES, *OTHER_FEATURES)}
    return [
        {"name": name, "unit": known[name].unit, "medium": known[name].medium, "meaning": known[name].meaning}
        for name in timeline.names
    ]


def _columns(key: str, timeline: Timeline, decimals: int | None) -> Iterator[str]:
    yield f',\n"{key}": {{'
    for place, name in enumerate(timeline.names):
        column = timeline.values[:, place]
        listed = rounded(column, _decimals(column) if decimals is None else decimals)
        text = json.dumps(listed, allow_nan=False, separators=(",", ":"))
        yield f"{',' if place else ''}\n{json.dumps(name)}: {text}"
    yield "}"


def rounded(values: NDArray[np.floating], decimals: int) -> list[float | None]:
    """Numbers for JSON; None where unknown."""
    exact = np.round(values.astype(np.float64), decimals).astype(object)
    exact[~np.isfinite(values)] = None
    listed: list[float | None] = exact.tolist()
    return listed


def _decimals(values: NDArray[np.floating]) -> int:
    """So many that the largest value keeps `DIGITS` digits, at most six."""
    known = np.abs(values[np.isfinite(values)])
    largest = float(known.max(initial=0.0))
    return min(max(DIGITS - 1 - math.floor(math.log10(largest)), 1), 6) if largest > 0 else 1
