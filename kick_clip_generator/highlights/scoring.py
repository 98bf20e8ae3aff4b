"""From signals to evidence: the weighted z values of one medium, tick by tick and signal by signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.kinds import Medium
from kick_clip_generator.core.timeline import FloatArray, Timeline
from kick_clip_generator.highlights.baseline import Array, robust_z
from kick_clip_generator.highlights.signals import SIGNALS, VARIATION, checked_weights
from kick_clip_generator.highlights.variation import timbre_variation

LEVEL_SIGNALS = ("rms_db", "rms")

# What a sound is like counts only while there is more sound than usual: without this, the small spectral drifts of a
# calm stream and its silences score like cheers (on the development streams mean AP 0.775 without, 0.837 with). At one
# σ of loudness it counts by 98 %.
HEARD_STEEPNESS = 4.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a highlight of one medium.

    Attributes:
        names: the signals that are known and have a weight.
        z: robust z per signal as far as it is heard, shape `(ticks, len(names))`, NaN where unknown.
        weights: shape `(len(names),)`; those of missing signals are shared among these.
    """

    names: tuple[str, ...]
    z: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.z)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether any signal is known, per tick."""
        return np.asarray(~np.isnan(self.z).all(axis=1))

    @property
    def parts(self) -> Array:
        """Evidence per tick and signal; where a signal is unknown, the others take over its share."""
        known = ~np.isnan(self.z)
        share = np.abs(self.weights)
        present = known @ share
        scale = np.divide(share.sum(), present, out=np.zeros(len(self.z)), where=present > 0)
        return np.asarray(np.where(known, self.z * self.weights, 0.0) * scale[:, None])


def measure_evidence(timeline: Timeline, weights: Mapping[str, float], medium: Medium) -> Evidence:
    """The evidence of one medium over a stream.

    Args:
        timeline: features of the stream.
        weights: keyed by `<feature>_mean`; see `signals`.
        medium: whose evidence it is.

    Raises:
        InputError: when a weight is not one of the medium.
    """
    wanted = {name: weight for name, weight in checked_weights(weights, medium).items() if weight != 0}
    z = {name: robust_z(_signal(timeline, name), SIGNALS[name].floor) for name in wanted}
    if medium == "audio":
        heard = _heard(timeline)
        z = {name: signal if name in LEVEL_SIGNALS else signal * heard for name, signal in z.items()}
    names = tuple(name for name in wanted if not np.isnan(z[name]).all())
    if not names:
        return Evidence((), np.empty((len(timeline), 0)), np.empty(0))
    present = np.array([wanted[name] for name in names])
    shared = sum(abs(weight) for weight in wanted.values()) / np.abs(present).sum()
    return Evidence(names, np.stack([z[name] for name in names], axis=1), present * shared)


def _signal(timeline: Timeline, name: str) -> FloatArray:
    return timbre_variation(timeline) if name == VARIATION else timeline.column(name)


def _heard(timeline: Timeline) -> Array:
    """How far the sound is above its usual level, 0-1 per tick; 1 where the level is not known."""
    levels: list[FloatArray] = [timeline.column(name) for name in LEVEL_SIGNALS]
    known = next((n for n, level in enumerate(levels) if np.isfinite(level).any()), None)
    if known is None:
        return np.ones(len(timeline))
    z = robust_z(levels[known], SIGNALS[LEVEL_SIGNALS[known]].floor)
    return np.where(np.isnan(z), 1.0, 1 / (1 + np.exp(-HEARD_STEEPNESS * np.nan_to_num(z))))
