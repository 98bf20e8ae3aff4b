"""The versions of a model in `models/`: the next number, the one in use, and how many are kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.learning.errors import ModelError
from kick_clip_generator.learning.files import card_path, model_path, numbers
from kick_clip_generator.learning.model import MLHighlightModel

log = logging.getLogger(__name__)

KEPT = 5


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model that is in use.

    Attributes:
        model: None when there is none that can be read.
        number: its version, None without a model.
        note: a sentence for the user when it is not the version that was asked for, else empty.
    """

    model: MLHighlightModel | None
    number: int | None
    note: str = ""


def next_number(folder: Path) -> int:
    """One more than the highest version that was ever written here and not removed; the first is 1."""
    return max(numbers(folder), default=0) + 1


def keep_newest(folder: Path, *, active: int | None, count: int = KEPT) -> list[int]:
    """Remove all but the newest `count` versions; the active one always stays.

    Returns:
        The versions that were removed.
    """
    old = [n for n in numbers(folder)[:-count] if n != active]
    for n in old:
        # The card goes first: without it the version does not count, so a stop in between leaves no broken version.
        card_path(folder, n).unlink(missing_ok=True)
        model_path(folder, n).unlink(missing_ok=True)
    return old


def load_active(folder: Path, n: int | None) -> Loaded:
    """The version in use, or the newest earlier one that can be read.

    Args:
        folder: where the versions lie.
        n: the number of the version in use; None when no model is.

    Returns:
        The model, its number, and a sentence when the version that was asked for could not be read.
    """
    if n is None:
        return Loaded(None, None)
    trouble: list[str] = []
    for number in [n, *reversed([k for k in numbers(folder) if k < n])]:
        try:
            model = MLHighlightModel.load(folder, number)
        except ModelError as error:
            log.warning("%s", error)
            trouble.append(str(error))
            continue
        note = f"{trouble[0].rstrip('.')}; version {number} is used instead." if trouble else ""
        return Loaded(model, number, note)
    return Loaded(None, None, f"{trouble[0].rstrip('.')}; clips are ranked without a model until the next training.")
