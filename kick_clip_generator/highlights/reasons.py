"""Why a moment was chosen: what each signal gave to the score, in words, adding up to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kick_clip_generator.core.records import Reason
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.events import Candidate
from kick_clip_generator.highlights.scoring import Evidence
from kick_clip_generator.highlights.signals import SIGNALS

MOST_LINES = 5
RATINGS = "ratings"


def reasons_for(candidate: Candidate, evidence: Evidence, score: float) -> tuple[Reason, ...]:
    """One reason per group of signals with the same words; the contributions add up to `score`."""
    inside = evidence.z[candidate.first : candidate.stop]
    known = ~np.isnan(inside)
    z = np.where(known, inside, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    contributions = score * candidate.parts / candidate.response
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(evidence.names):
        groups.setdefault(SIGNALS[name].words, []).append(column)
    lines = [_line(words, columns, evidence, z, contributions) for words, columns in groups.items()]
    return shorten(lines)


def _line(words: str, columns: Sequence[int], evidence: Evidence, z: Array, contributions: Array) -> Reason:
    weights = np.abs(evidence.weights[columns])
    directions = np.array([SIGNALS[evidence.names[column]].direction for column in columns])
    height = float((weights * directions * z[columns]).sum() / weights.sum())
    strongest = max(columns, key=lambda column: abs(contributions[column]))
    return Reason(evidence.names[strongest], float(contributions[columns].sum()), f"{words} {_signed(height)} σ")


def scaled(reasons: Sequence[Reason], factor: float) -> tuple[Reason, ...]:
    """The same reasons for a score that is `factor` times as high."""
    return tuple(replace(reason, contribution=reason.contribution * factor) for reason in reasons)


def ratings_reason(contribution: float, learned: float) -> Reason:
    """The learned part of a blended score."""
    return Reason(RATINGS, contribution, f"your ratings {learned:.2f}")


def shorten(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Strongest first; what goes beyond a handful of lines becomes one, and the sum stays."""
    ranked = sorted(reasons, key=lambda reason: (-abs(reason.contribution), reason.signal))
    if len(ranked) <= MOST_LINES:
        return tuple(ranked)
    kept, rest = ranked[: MOST_LINES - 1], ranked[MOST_LINES - 1 :]
    total = sum(reason.contribution for reason in rest)
    other = Reason(rest[0].signal, total, f"{len(rest)} weaker signals")
    return tuple(sorted([*kept, other], key=lambda reason: -abs(reason.contribution)))


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
