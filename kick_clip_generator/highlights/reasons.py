"""Why a moment was chosen: what each signal gave to the score, in words, adding up to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from kick_clip_generator.core.records import Reason
from kick_clip_generator.core.timeline import TICK_S, FloatArray, Timeline
from kick_clip_generator.highlights.baseline import BASELINE_S, Array
from kick_clip_generator.highlights.events import Candidate
from kick_clip_generator.highlights.scoring import Evidence
from kick_clip_generator.highlights.signals import CHAT, SIGNALS

MOST_LINES = 5
RATINGS = "ratings"


def reasons_for(candidate: Candidate, evidence: Evidence, timeline: Timeline, score: float) -> tuple[Reason, ...]:
    """One reason per group of signals with the same words; the contributions add up to `score`."""
    inside = evidence.z[candidate.first : candidate.stop]
    known = ~np.isnan(inside)
    z = np.where(known, inside, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    contributions = score * candidate.parts / candidate.response
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(evidence.names):
        groups.setdefault(SIGNALS[name].words, []).append(column)
    lines = []
    for words, columns in groups.items():
        strongest = max(columns, key=lambda column: abs(contributions[column]))
        counted = _COUNTED[words](timeline, candidate) if words in _COUNTED else ""
        text = counted or _in_sigmas(words, columns, evidence, z)
        lines.append(Reason(evidence.names[strongest], float(contributions[columns].sum()), text))
    return shorten(lines)


def _in_sigmas(words: str, columns: Sequence[int], evidence: Evidence, z: Array) -> str:
    weights = np.abs(evidence.weights[columns])
    directions = np.array([SIGNALS[evidence.names[column]].direction for column in columns])
    height = float((weights * directions * z[columns]).sum() / weights.sum())
    return f"{words} {_signed(height)} σ"


def _chat_in_numbers(timeline: Timeline, candidate: Candidate) -> str:
    """How much more was written than usual, and by how many people; empty where that is not known."""
    rate = _known(timeline.column("chat_rate")[candidate.first : candidate.stop])
    people = _known(timeline.column("chat_chatters")[candidate.first : candidate.stop])
    reach = round(BASELINE_S / 2 / TICK_S)
    around = _known(timeline.column("chat_rate")[max(0, candidate.peak - reach) : candidate.peak + reach])
    if not (len(rate) and len(people)):
        return ""
    usual = float(np.median(around))
    height = f"{rate.max() / usual:.1f} × its baseline" if usual > 0 else "after silence"
    return f"{CHAT} {height}, {people.max():.0f} chatters"


def _known(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


# Signals whose raw values people understand.
_COUNTED: Mapping[str, Callable[[Timeline, Candidate], str]] = {CHAT: _chat_in_numbers}


def scaled(reasons: Sequence[Reason], factor: float) -> tuple[Reason, ...]:
    """The same reasons for a score that is `factor` times as high."""
    return tuple(replace(reason, contribution=reason.contribution * factor) for reason in reasons)


def ratings_reason(contribution: float, learned: float) -> Reason:
    """What the learned judge added to a score, or took from it.

    Args:
        contribution: the difference.
        learned: what it said, 0-1.
    """
    return Reason(RATINGS, contribution, f"your ratings {learned:.2f}")


def shorten(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Strongest first; what goes beyond a handful of lines becomes one, and the sum stays. Ratings keep their line."""
    ranked = sorted(reasons, key=lambda reason: (-abs(reason.contribution), reason.signal))
    if len(ranked) <= MOST_LINES:
        return tuple(ranked)
    ranked.sort(key=lambda reason: reason.signal != RATINGS)
    kept, rest = ranked[: MOST_LINES - 1], ranked[MOST_LINES - 1 :]
    total = sum(reason.contribution for reason in rest)
    other = Reason(rest[0].signal, total, f"{len(rest)} weaker signals")
    return tuple(sorted([*kept, other], key=lambda reason: -abs(reason.contribution)))


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
