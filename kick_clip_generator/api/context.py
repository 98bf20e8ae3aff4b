"""What every route works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path, Query

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.door import Door

# What both databases can hold as a number of a row.
RowId = Annotated[int, Path(ge=1, le=2**31 - 1)]
After = Annotated[str | None, Query(max_length=2000, description="`after` of the page before; the first without.")]
Id = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Time = Annotated[float | None, Query(ge=0, le=1e12, allow_inf_nan=False, description="UNIX seconds.")]
Limit = Annotated[int, Query(ge=1, le=500)]


@dataclass(frozen=True, slots=True)
class Context:
    """One library, one set of settings, one door, made once for an application."""

    library: Library
    settings: Settings
    door: Door
