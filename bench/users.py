"""How well the scores of the product agree with the stars that its user gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from bench.judging import calibration
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, ClipQuery

# From this many stars on a clip was worth making.
LIKED = 4


def rated_clips(database: Path) -> list[Clip]:
    """All clips with stars of a library, the best score first.

    Raises:
        LibraryError: when it is no library.
    """
    clips: list[Clip] = []
    query = ClipQuery(sort="score", min_stars=1, limit=500)
    with Library.open(database) as library:
        while True:
            page = library.clips(query)
            clips += page.items
            if page.after is None:
                return clips
            query = replace(query, after=page.after)


def judge_ratings(clips: Sequence[Clip]) -> dict[str, Any]:
    """Agreement of score and stars: rank correlation, share liked among the best, AUC, calibration."""
    score = np.array([clip.score for clip in clips])
    stars = np.array([float(clip.stars or 0) for clip in clips])
    liked = stars >= LIKED
    return {
        "clips": len(clips),
        "liked": int(liked.sum()),
        "spearman": _correlation(_ranks(score), _ranks(stars)),
        "auc": _auc(score, liked),
        "liked@5": float(liked[:5].mean()) if len(clips) >= 5 else None,
        "liked@20": float(liked[:20].mean()) if len(clips) >= 20 else None,
        "calibration": calibration([(clip.score, bool(like)) for clip, like in zip(clips, liked, strict=True)]),
    }


def print_ratings(out: TextIO, figures: dict[str, Any]) -> None:
    """A few lines; a figure that needs more clips is a dash."""
    out.write(f"{figures['clips']} rated clips, {figures['liked']} of them with {LIKED} stars or more\n")
    for name in ("spearman", "auc", "liked@5", "liked@20"):
        value = figures[name]
        out.write(f"  {name:10} {'-' if value is None else f'{value:.3f}'}\n")
    for row in figures["calibration"]:
        out.write(f"  score {row['from']:.1f}-{row['from'] + 0.1:.1f}  n={row['n']:3d}  liked {row['right']:.2f}\n")


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, the same for equal values."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count + 1) / 2)[place])


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _auc(score: NDArray[np.float64], liked: NDArray[np.bool_]) -> float | None:
    """The chance that a liked clip scores higher than one that was not."""
    positive, negative = int(liked.sum()), int((~liked).sum())
    if not positive or not negative:
        return None
    ranks = _ranks(score) + 1
    return float((ranks[liked].sum() - positive * (positive + 1) / 2) / (positive * negative))
