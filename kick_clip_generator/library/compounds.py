"""Compound clips: several stretches in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from kick_clip_generator.core.errors import NotFoundError
from kick_clip_generator.library import tables
from kick_clip_generator.library.records import Published
from kick_clip_generator.library.store import Store, to_json


@dataclass(frozen=True, slots=True)
class Compound:
    """A compound clip.

    Attributes:
        body: what it was made of, as the maker wrote it down.
    """

    id: int
    project_id: int
    name: str
    file: Published
    duration_s: float
    body: dict[str, Any]
    created_at: float


class CompoundStore(Store):
    """The compound clips of each project."""

    def record_compound(
        self, project_id: int, name: str, file: Published, duration_s: float, body: Mapping[str, Any]
    ) -> int:
        """Remember a compound clip; one that was recorded at the same path is forgotten, for its file is gone.

        Raises:
            NotFoundError: when there is no such project.
        """
        with self.writing() as session:
            if session.get(tables.Project, project_id) is None:
                raise NotFoundError(f"There is no project {project_id} in the library; it may have been deleted.")
            before = session.scalar(select(tables.CompoundClip).where(tables.CompoundClip.path == str(file.path)))
            if before is not None:
                session.delete(before)
                session.flush()
            row = tables.CompoundClip(
                project_id=project_id,
                name=name,
                path=str(file.path),
                size=file.size,
                mtime_ns=file.mtime_ns,
                sha256=file.sha256,
                duration_s=float(duration_s),
                body=to_json(body),
            )
            session.add(row)
            session.flush()
            return row.id

    def compounds(self, project_id: int) -> list[Compound]:
        """Those of a project, the newest first."""
        of_project = select(tables.CompoundClip).where(tables.CompoundClip.project_id == project_id)
        with self.reading() as session:
            return [_compound(row) for row in session.scalars(of_project.order_by(tables.CompoundClip.id.desc()))]

    def compound(self, compound_id: int) -> Compound:
        """Raises:
        NotFoundError: when there is none of that id.
        """
        with self.reading() as session:
            return _compound(_found(session, compound_id))

    def delete_compound(self, compound_id: int) -> Path:
        """Forget a compound clip.

        Returns:
            its file, which is left to the caller to delete.

        Raises:
            NotFoundError: when there is none of that id.
        """
        with self.writing() as session:
            row = _found(session, compound_id)
            session.delete(row)
            return Path(row.path)


def _found(session: Session, compound_id: int) -> tables.CompoundClip:
    row = session.get(tables.CompoundClip, compound_id)
    if row is None:
        raise NotFoundError(f"There is no compound clip {compound_id} in the library; it may have been deleted.")
    return row


def _compound(row: tables.CompoundClip) -> Compound:
    return Compound(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        file=Published(Path(row.path), row.size, row.sha256, row.mtime_ns),
        duration_s=row.duration_s,
        body=row.body,
        created_at=row.created_at,
    )
