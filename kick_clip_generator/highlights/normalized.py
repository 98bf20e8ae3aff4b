"""All signals of a stream on one scale: how far each stands out of its surroundings, in robust standard deviations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights.baseline import robust_z
from kick_clip_generator.highlights.signals import SIGNALS

# For signals that detection does not know, and so has no least spread for.
NO_FLOOR = 1e-6


def normalized(timeline: Timeline) -> Timeline:
    """The same signals and ticks as `baseline.robust_z`, each against its own running baseline.

    It depends on nothing but the raw values and takes 12–18 ms of CPU per signal of ten hours, so it is computed
    where it is wanted. The baseline reaches 75 s to both sides: a piece has other values near its ends than the whole.

    Args:
        timeline: raw values; it is left as it is.

    Returns:
        float32 within ±`baseline.Z_LIMIT`; NaN exactly where the raw value is not known.
    """
    z = np.empty_like(timeline.values)
    for column, name in enumerate(timeline.names):
        floor = SIGNALS[name].floor if name in SIGNALS else NO_FLOOR
        z[:, column] = robust_z(timeline.values[:, column], floor)
    return replace(timeline, values=z)
