"""Difference hashes: 64 bits of a picture that stay nearly the same while the picture does."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray

SIDE = 8
BITS = SIDE * SIDE


def difference_hashes(lumas: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Whether each of 8 x 8 places is darker than its right neighbor (dHash, Krawetz 2013).

    Light and contrast do not matter, grain and small changes hardly. Pictures with at most 10 different bits are near
    duplicates as a rule.

    Args:
        lumas: shape `(n, height, width)`.

    Returns:
        Shape `(n,)`.
    """
    small = [cv2.resize(luma, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA) for luma in lumas]
    grid = np.array(small, np.uint8).reshape(-1, SIDE, SIDE + 1)
    bits = np.packbits((grid[:, :, :-1] < grid[:, :, 1:]).reshape(-1, BITS), axis=1)
    return bits.view(np.uint64).reshape(-1)


def novelty(hashes: NDArray[np.uint64], known: NDArray[np.bool_], *, back: int) -> FloatArray:
    """Least share of bits in which each hash differs from those of the `back` before it.

    Args:
        hashes: shape `(n,)`.
        known: which of them count, shape `(n,)`.
        back: how many to compare with.

    Returns:
        Shape `(n,)`; NaN for the first `back`, for unknown ones, and where all before are unknown.
    """
    least = np.full(len(hashes), np.nan, np.float32)
    if len(hashes) > back:
        before = [slice(back - k, len(hashes) - k) for k in range(1, back + 1)]
        distances = [np.where(known[at], np.bitwise_count(hashes[back:] ^ hashes[at]) / BITS, np.inf) for at in before]
        nearest = np.min(distances, axis=0)
        least[back:] = np.where(known[back:] & np.isfinite(nearest), nearest, np.nan)
    return least
