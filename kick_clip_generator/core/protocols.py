"""What the stages expect of each other's helpers, so that they need not import each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Scorer(Protocol):
    """A learned judge of candidate clips."""

    def predict(self, kind: str, rows: Sequence[Mapping[str, float]]) -> NDArray[np.float64] | None:
        """Scores in 0–1 for clip rows (see `core.clip_row`) of one kind ("audio" or "video"), shape `(len(rows),)`.

        None when there is no fitted model of that kind.
        """
        ...
