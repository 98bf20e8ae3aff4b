"""Where a clip may start or end: cuts, dips of the sound, fades, moments of rest, and pauses of who speaks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.config import V2Config

Component = Literal["scene", "audio_dip", "fade", "motion_valley", "pause", "sentence_end"]
COMPONENTS: tuple[Component, ...] = get_args(Component)

# A dip this deep is a pause in speech or play; deeper ones are no better places to cut.
FULL_DIP_DB = 12.0
FULL_VALLEY = 1.0
AROUND_S = 4.0
# From this probability of speech on, a tick is taken for words where no transcript says it better.
VOICED = 0.5


@dataclass(frozen=True, slots=True)
class Boundaries:
    """How well a clip may begin or end at the start of each tick.

    Attributes:
        scores: shape `(ticks + 1,)`, 0-1; the last is the end of the stream.
        components: each 0-1, same shape, NaN where unknown.
        spoken: whether somebody speaks in a tick, as far as that is known, shape `(ticks,)`.
    """

    scores: Array
    components: MappingProxyType[Component, Array]
    spoken: NDArray[np.bool_]

    @property
    def inside_words(self) -> NDArray[np.bool_]:
        """Whether somebody speaks before and behind the start of each tick, shape `(ticks + 1,)`."""
        padded = np.concatenate([[False], self.spoken, [False]])
        return np.asarray(padded[:-1] & padded[1:])

    def inside_word(self, place: float) -> bool:
        """Whether a time lies inside a word; in ticks from the first, with a fraction where it lies inside one."""
        nearest = round(place)
        around = (nearest - 1, nearest) if abs(place - nearest) < 1e-6 else (math.floor(place),)
        return all(0 <= tick < len(self.spoken) and bool(self.spoken[tick]) for tick in around)

    def candidates(self, least: float) -> list[int]:
        """Ticks whose score is at least this, and the best around them."""
        padded = np.concatenate([[-np.inf], self.scores, [-np.inf]])
        top = (self.scores >= padded[:-2]) & (self.scores > padded[2:]) & (self.scores >= max(least, 1e-9))
        return [int(tick) for tick in np.flatnonzero(top)]


def score_boundaries(timeline: Timeline, config: V2Config) -> Boundaries:
    """Score every tick; what is not known shares its weight among the rest.

    Args:
        timeline: features of the stream.
        config: weights and spacing.
    """
    pause = pauses(timeline)
    components: dict[Component, Array] = {
        # A cut lies inside its tick, so what it bounds begins with the next.
        "scene": _after(timeline.column("scene_cut").astype(np.float64)),
        "audio_dip": _at(_below(timeline.column("rms_db").astype(np.float64), FULL_DIP_DB)),
        "fade": _at(timeline.column("black_ratio").astype(np.float64)),
        "motion_valley": _at(_below(np.log1p(timeline.column("motion").astype(np.float64)), FULL_VALLEY)),
        "pause": np.where(_near(_at(1 - pause) > 0.5), _at(pause), np.nan),
        # A sentence that ends in a tick is over when the next begins.
        "sentence_end": _after(timeline.column("sentence_end").astype(np.float64)),
    }
    weights = np.array([getattr(config, f"boundary_w_{name}") for name in COMPONENTS])
    values = np.stack([np.clip(components[name], 0, 1) for name in COMPONENTS])
    known = np.isfinite(values)
    present = weights @ known
    total = weights @ np.where(known, values, 0.0)
    scores = np.divide(total, present, out=np.zeros(values.shape[1]), where=present > 0)
    spaced = np.maximum(scores - _spacing_penalty(scores, config), 0.0)
    return Boundaries(spaced, MappingProxyType({name: components[name] for name in COMPONENTS}), pause < 0.5)


def pauses(timeline: Timeline) -> Array:
    """1 where nobody speaks in the tick and 0 where somebody does; NaN where neither a transcript nor a detector of
    voices knows.
    """
    transcript = timeline.column("speech_pause").astype(np.float64)
    voice = timeline.column("voice_activity").astype(np.float64)
    heard = np.where(np.isnan(voice), np.nan, np.where(voice < VOICED, 1.0, 0.0))
    return np.where(np.isnan(transcript), heard, np.where(transcript < 0.5, 0.0, 1.0))


def _spacing_penalty(scores: Array, config: V2Config) -> Array:
    """What a tick loses for standing beside a better one: all of the penalty next to it, none at the spacing."""
    reach = int(config.boundary_spacing_sec / TICK_S)
    penalty = np.zeros(len(scores))
    for distance in range(1, min(reach, len(scores) - 1) + 1):
        near = config.boundary_spacing_penalty * (1 - (distance - 1) / reach)
        earlier, later = slice(None, -distance), slice(distance, None)
        for here, there in ((earlier, later), (later, earlier)):
            better = scores[there] > scores[here]
            penalty[here] = np.maximum(penalty[here], np.where(better, near, 0.0))
    return penalty


def _below(signal: Array, full: float) -> Array:
    """How far each tick lies below what is before it and below what is behind it, in shares of `full`.

    Below both: the calm before something loud is no dip.
    """
    reach = round(AROUND_S / TICK_S)
    known = np.isfinite(signal)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, signal, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    at = np.arange(len(signal))
    sides = []
    for low, high in ((np.maximum(at - reach, 0), at), (at + 1, np.minimum(at + 1 + reach, len(signal)))):
        number = counts[high] - counts[low]
        sides.append(np.divide(sums[high] - sums[low], number, out=np.full(len(at), np.nan), where=number > 0))
    return np.asarray((np.fmin(*sides) - signal) / full)


def _near(here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether it is so within `AROUND_S`: where nobody speaks for long, silence is no pause."""
    reach = round(AROUND_S / TICK_S)
    sums = np.concatenate([[0], np.cumsum(here)])
    at = np.arange(len(here))
    return np.asarray(sums[np.minimum(at + reach + 1, len(here))] > sums[np.maximum(at - reach, 0)])


def _at(signal: Array) -> Array:
    """A rest is as good a place to begin as to end: at its start, and where it ends."""
    padded = np.concatenate([[np.nan], signal, [np.nan]])
    return np.asarray(np.fmax(padded[:-1], padded[1:]))


def _after(signal: Array) -> Array:
    return np.concatenate([[np.nan], signal]) if len(signal) else np.full(1, np.nan)
