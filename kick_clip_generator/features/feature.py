"""What is known of a signal before any is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from kick_clip_generator.core.kinds import Medium

Tier = Literal["core", "extended"]

MOST_CONTEXT_S = 5.0


@dataclass(frozen=True, slots=True)
class Feature:
    """One signal on the tick grid.

    Attributes:
        name: column name, stable.
        unit: of the values; "" for a ratio.
        low, high: usual range of the values, for scales of charts; only ratios are held to it.
        meaning: a sentence for the user, with what silence or a missing past does to it.
        source: whose definition it is.
        medium: what it is computed from.
        context_s: seconds before the tick that the value depends on; a lead-in of that length makes it exact.
        tier: "core" signals are computed for every tick and are columns of the timeline; "extended" ones cost more, or
            need an optional library, and are computed where they can matter.
        price_s_per_h: measured CPU-seconds per hour of stream. Signals that fall out of one computation tell its price
            once, at the first of them.
    """

    name: str
    unit: str
    low: float
    high: float
    meaning: str
    source: str
    medium: Medium
    context_s: float
    tier: Tier = "core"
    price_s_per_h: float = 0.0

    def __post_init__(self) -> None:
        if not (self.low < self.high and 0 <= self.context_s <= MOST_CONTEXT_S):
            raise ValueError(f"expected low < high and 0-5 s of context for {self.name}, got {self}")
        if not (math.isfinite(self.price_s_per_h) and self.price_s_per_h >= 0):
            raise ValueError(f"expected a price of 0 or more for {self.name}, got {self.price_s_per_h}")
