"""What the stages expect of each other's helpers, so that they need not import each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.settings import Settings


class Scorer(Protocol):
    """A learned judge of candidate clips.

    It may also have `share(kind) -> float | None`: how much of a score its evidence is worth, 0-1, which counts where
    `ML_WEIGHT` is "auto".
    """

    def predict(self, kind: str, rows: Sequence[Mapping[str, float]]) -> NDArray[np.float64] | None:
        """Scores in 0–1 for clip rows (see `core.clip_row`) of one kind (`core.kinds.Medium`), shape `(len(rows),)`.

        None when there is no fitted model of that kind.
        """
        ...


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A finished file on its way to a destination.

    Attributes:
        path: where it lies now; to be read, never changed or moved.
        name: what to call it, with its extension: safe on every system, and no other file of the export has it.
        title: of the stream, for people; may hold any character.
        made_at: when the clip was recorded, in UNIX seconds.
    """

    path: Path
    name: str
    title: str
    made_at: float


class Destination(Protocol):
    """Where exported files go: opened once for an export, given one file after another, closed.

    What `send` raises concerns that file alone; the next one is sent all the same. When `__exit__` is given an error,
    the export is given up, and nothing half done may stay. What `__exit__` itself raises fails the export.
    Any exception will do; a `ClipGeneratorError` is shown as it is.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def send(self, file: ExportFile) -> str:
        """Deliver one file, never over another one.

        Returns:
            where it is now, for people: a path, an address.
        """
        ...


class DestinationFactory(Protocol):
    """What an entry point of the group `kick_clip_generator.destinations` names; mostly a class."""

    def __call__(self, into: str, settings: Settings) -> Destination:
        """Args:
        into: what the user gave as `--into`: a folder, an address …; empty when nothing was given.
        """
        ...
