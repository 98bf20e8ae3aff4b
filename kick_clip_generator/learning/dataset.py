"""Ratings as a table: what a model is fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LOWEST_STARS, HIGHEST_STARS = 1, 5

# scikit-learn's trees compute in float32 and refuse what does not fit.
_LARGEST = float(np.finfo(np.float32).max)

Table = NDArray[np.float64]


class Sample(Protocol):
    """One rated clip; skipped clips are no samples, for skipped is not bad.

    Attributes:
        source_id: the stream it came from; clips of one stream are never on both sides of a test.
        kind: "audio" or "video".
        row: the feature row that chose it, see `core.clip_row`.
        stars: 1-5; a clip without stars that was kept or dropped comes with what that is worth.
        rated_at: when, in seconds since 1970.
    """

    @property
    def source_id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def row(self) -> Mapping[str, float]: ...
    @property
    def stars(self) -> int: ...
    @property
    def rated_at(self) -> float: ...


def feature_names(rows: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Every name that occurs in the rows, sorted, so that their order never depends on who wrote them."""
    return tuple(sorted({name for row in rows for name in row}))


def table(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Table:
    """The rows as an array of shape `(len(rows), len(names))`.

    A name that a row lacks is NaN there, as are infinities and numbers beyond float32; names that are not asked for
    are left out.
    """
    values = np.array([[row.get(name, np.nan) for name in names] for row in rows], np.float64)
    values = values.reshape(len(rows), len(names))
    return np.where(np.abs(values) <= _LARGEST, values, np.nan)


def targets(stars: Sequence[float]) -> Table:
    """Stars 1-5 as 0-1, shape `(len(stars),)`.

    Raises:
        ValueError: for a number that is not in 1-5.
    """
    given = np.asarray(stars, np.float64)
    if not np.all((given >= LOWEST_STARS) & (given <= HIGHEST_STARS)):
        raise ValueError(f"expected stars in {LOWEST_STARS}-{HIGHEST_STARS}, got {list(stars)}")
    return (given - LOWEST_STARS) / (HIGHEST_STARS - LOWEST_STARS)
