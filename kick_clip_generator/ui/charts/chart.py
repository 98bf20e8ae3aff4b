"""Lanes over one time axis, as SVG: curves, bars and marks of three seconds or of ten hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S, clock
from kick_clip_generator.ui.html import Html, joined, markup

Curve = NDArray[np.floating]

# A pixel is at most so many seconds until the chart is as wide as is still handy to scroll.
SECONDS_PER_PX = 6.0
LEAST_WIDTH_PX, MOST_WIDTH_PX = 1200, 6000
LABELS_PX = 150
AXIS_PX = 26
GAP_PX = 4
LABEL_EVERY_PX = 90
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000)
# What is thinner can neither be seen nor hit.
LEAST_MARK_PX = 3.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Where times lie in a chart.

    Attributes:
        start_s, end_s: the stretch shown; never empty.
        width_px: of the chart.
    """

    start_s: float
    end_s: float
    width_px: int

    @classmethod
    def over(cls, start_s: float, end_s: float) -> Scale:
        """A scale that shows a stretch of a stream."""
        end_s = max(end_s, start_s + TICK_S)
        width = round((end_s - start_s) / SECONDS_PER_PX)
        return cls(start_s, end_s, min(max(width, LEAST_WIDTH_PX), MOST_WIDTH_PX))

    def x(self, time_s: float) -> float:
        return (time_s - self.start_s) / (self.end_s - self.start_s) * self.width_px

    def box(self, span: Span) -> tuple[float, float]:
        """Left edge and width of a span that can be seen."""
        left, right = self.x(span.start_s), self.x(span.end_s)
        return left, max(right - left, LEAST_MARK_PX)


@dataclass(frozen=True, slots=True)
class Lane:
    """A strip of a chart.

    Attributes:
        name: stands beside it.
        height_px: of the strip.
        content: SVG, from 0 (top) to `height_px`.
        detail: a second, quiet line under the name.
    """

    name: str
    height_px: int
    content: Html
    detail: str = ""


def curve_lane(name: str, values: Curve, scale: Scale, *, kind: str = "signal", unit: str = "", base: bool) -> Lane:
    """A signal between its extremes.

    Args:
        values: one per tick over the scale, NaN where unknown.
        kind: its color: a kind of highlights, or "signal".
        base: it is measured from 0, which is the bottom.
    """
    height = 54
    known = values[np.isfinite(values)]
    if not len(known):
        return Lane(name, height, markup('<text x="8" y="{y}">not known</text>', y=height // 2 + 4), unit)
    # A single outlier must not flatten the rest.
    low = 0.0 if base else float(np.quantile(known, 0.01))
    high = float(known.max())
    high = high if high > low else low + 1.0
    path = _envelope((values - low) / (high - low), scale, height)
    words = f"{_short(low)} to {_short(high)} {unit}".strip()
    return Lane(name, height, markup('<path class="envelope {kind}" d="{path}"/>', kind=kind, path=path), words)


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _envelope(shares: Curve, scale: Scale, height: int) -> str:
    """The least and the greatest value of every pixel column, as closed shapes; gaps stay open."""
    ticks = len(shares)
    columns = min(ticks, scale.width_px)
    firsts = np.linspace(0, ticks, columns, endpoint=False).astype(int)
    low, high = np.fmin.reduceat(shares, firsts), np.fmax.reduceat(shares, firsts)
    x = (np.append(firsts[1:], ticks) + firsts) / 2 / ticks * scale.width_px
    tops, bottoms = ((1 - np.clip(edge, 0, 1)) * (height - 2) + 1 for edge in (high, low))
    known = np.isfinite(high)
    pieces: list[str] = []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(int)))
    for first, stop in edges.reshape(-1, 2):
        there = [f"{a:.1f},{b:.1f}" for a, b in zip(x[first:stop], tops[first:stop], strict=True)]
        if columns == ticks:
            # One value a column: a line, down to the bottom at both ends.
            back = [f"{x[stop - 1]:.1f},{height}", f"{x[first]:.1f},{height}"]
        else:
            back = [f"{a:.1f},{b:.1f}" for a, b in zip(x[first:stop][::-1], bottoms[first:stop][::-1], strict=True)]
        pieces.append(f"M{' '.join([*there, *back])}Z")
    return "".join(pieces)


def bars_lane(name: str, times_s: Sequence[float], heights: Sequence[float], scale: Scale, *, detail: str = "") -> Lane:
    """Thin bars of 0-1 at instants, the highest of each pixel column."""
    height = 40
    highest: dict[int, float] = {}
    for time_s, share in zip(times_s, heights, strict=True):
        column = round(scale.x(time_s))
        highest[column] = max(share, highest.get(column, 0.0))
    path = "".join(f"M{x}.5,{height}V{height - share * (height - 2):.1f}" for x, share in sorted(highest.items()))
    return Lane(name, height, markup('<path class="bars signal" d="{path}"/>', path=path), detail)


def chart(lanes: Sequence[Lane], scale: Scale, *, label: str, bands: Sequence[tuple[Span, str]] = ()) -> Html:
    """The lanes under each other, with their names, a grid and an axis.

    Args:
        label: what the chart shows, for those who do not see it.
        bands: stretches that are marked in all lanes, with their kind.
    """
    tops, y = [], AXIS_PX
    for lane in lanes:
        tops.append(y)
        y += lane.height_px + GAP_PX
    marks = _marks(scale)
    return markup(
        '<div class="chart"><svg width="{labels}" height="{height}" aria-hidden="true">{names}</svg>'
        '<div class="scroll"><svg width="{width}" height="{height}" role="group" aria-label="{label}"'
        ' data-start="{start}" data-length="{length}">{lanes}{grid}{bands}{contents}'
        '<line class="cursor" y1="{axis}" y2="{height}" visibility="hidden"/>'
        '<text class="time-here name" y="{axis_text}"></text></svg></div></div>',
        labels=LABELS_PX,
        width=scale.width_px,
        height=y,
        label=label,
        axis=AXIS_PX,
        axis_text=AXIS_PX - 3,
        start=f"{scale.start_s:g}",
        length=f"{scale.end_s - scale.start_s:g}",
        names=joined(_name(lane, top) for lane, top in zip(lanes, tops, strict=True)),
        lanes=joined(
            markup(
                '<rect class="lane" y="{y}" width="{width}" height="{height}"/>',
                y=top,
                width=scale.width_px,
                height=lane.height_px,
            )
            for lane, top in zip(lanes, tops, strict=True)
        ),
        grid=joined(
            markup(
                '<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/><text x="{text}" y="12">{time}</text>',
                x=f"{scale.x(time_s):.1f}",
                text=f"{scale.x(time_s) + 3:.1f}",
                top=AXIS_PX - 10,
                bottom=y,
                time=clock(time_s),
            )
            for time_s in marks
        ),
        bands=joined(_band(span, kind, scale, y) for span, kind in bands),
        contents=joined(
            markup('<g transform="translate(0 {y})">{content}</g>', y=top, content=lane.content)
            for lane, top in zip(lanes, tops, strict=True)
        ),
    )


def _name(lane: Lane, top: int) -> Html:
    return markup(
        '<text class="name" x="10" y="{y}">{name}</text><text x="10" y="{below}">{detail}</text>',
        y=top + 16,
        below=top + 31,
        name=lane.name,
        detail=lane.detail,
    )


def _band(span: Span, kind: str, scale: Scale, height: int) -> Html:
    left, width = scale.box(span)
    return markup(
        '<rect class="band {kind}" x="{x}" y="{y}" width="{width}" height="{height}"/>',
        kind=kind,
        x=f"{left:.1f}",
        y=AXIS_PX,
        width=f"{width:.1f}",
        height=height - AXIS_PX,
    )


def _marks(scale: Scale) -> list[float]:
    """Round times, not nearer to each other than their words are wide."""
    least_s = (scale.end_s - scale.start_s) * LABEL_EVERY_PX / scale.width_px
    step_s = next((step for step in STEPS_S if step >= least_s), STEPS_S[-1])
    first = int(-(-scale.start_s // step_s))
    return [float(n * step_s) for n in range(first, int(scale.end_s // step_s) + 1)]
