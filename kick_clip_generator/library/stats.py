"""Counts over the whole library, for monitoring and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.records import MEASURE
from kick_clip_generator.library.store import Store


@dataclass(frozen=True, slots=True)
class Totals:
    """What the library holds.

    Attributes:
        clips: those with a file; `clip_bytes` is what they take.
        jobs: how many of each kind and status, without parts of other jobs.
    """

    projects: int
    sources: int
    clips: int
    clip_bytes: int
    kept: int
    dropped: int
    compounds: int
    jobs: Mapping[tuple[str, str], int]


class StatsStore(Store):
    """Counts; each call reads all rows that it counts."""

    def now(self) -> float:
        """UNIX seconds by the database's clock."""
        with self.reading() as session:
            return float(session.scalar(select(database_now())) or 0.0)

    def totals(self) -> Totals:
        clip, job = tables.Clip, tables.Job
        with self.reading() as session:
            listed = clip.path.is_not(None)
            clips, size, kept, dropped = session.execute(
                select(
                    func.count(),
                    func.coalesce(func.sum(clip.size), 0),
                    func.count().filter(clip.kept),
                    func.count().filter(clip.dropped_at.is_not(None)),
                ).where(listed)
            ).one()
            of_kind = (
                select(job.kind, job.status, func.count())
                .where(job.parent_id.is_(None), job.kind != MEASURE)
                .group_by(job.kind, job.status)
            )
            return Totals(
                projects=session.scalar(select(func.count(tables.Project.id))) or 0,
                sources=session.scalar(select(func.count(tables.Source.id))) or 0,
                clips=clips,
                clip_bytes=int(size),
                kept=kept,
                dropped=dropped,
                compounds=session.scalar(select(func.count(tables.CompoundClip.id))) or 0,
                jobs={(kind, status): count for kind, status, count in session.execute(of_kind)},
            )
