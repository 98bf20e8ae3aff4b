"""How much room the files take that the library knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from kick_clip_generator.library import tables
from kick_clip_generator.library.store import Store


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes as recorded, without thumbnails and measured features."""

    clips: int
    compounds: int
    downloads: int

    @property
    def total(self) -> int:
        return self.clips + self.compounds + self.downloads


class UsageStore(Store):
    """Sums over what is recorded."""

    def usage(self) -> Usage:
        """Of all clips that were not forgotten, compound clips and kept downloads."""
        sizes = {
            "clips": select(func.sum(tables.Clip.size)).where(tables.Clip.path.is_not(None)),
            "compounds": select(func.sum(tables.CompoundClip.size)),
            "downloads": select(func.sum(tables.Project.video_size)),
        }
        with self.reading() as session:
            return Usage(**{name: int(session.scalar(size) or 0) for name, size in sizes.items()})

    def known_files(self) -> set[Path]:
        """Every media file that a row names: clips, compound clips, kept downloads."""
        columns = (tables.Clip.path, tables.CompoundClip.path, tables.Project.video_path)
        with self.reading() as session:
            return {Path(path) for column in columns for path in session.scalars(select(column)) if path}
