"""Clips that are about to be published: a kill between a file and its row leaves a file that the next scan adopts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from kick_clip_generator.core.errors import NotFoundError
from kick_clip_generator.core.records import Span
from kick_clip_generator.library import tables
from kick_clip_generator.library.clips import ClipStore, announced_name
from kick_clip_generator.library.owner import process_owner
from kick_clip_generator.library.records import ClipRecord, Published
from kick_clip_generator.library.store import highlight_from_json, highlight_to_json, nan_if_none, to_json


@dataclass(frozen=True, slots=True)
class Announced:
    """A clip that a process was about to publish; `at` is when."""

    record: ClipRecord
    owner: str
    at: float


class AnnouncedStore(ClipStore):
    """What is said before a file gets its name; `record_clip` takes it back."""

    def announce_clip(self, record: ClipRecord) -> None:
        """Say what the row will be of a file that is about to be published."""
        with self.writing() as session:
            session.execute(delete(tables.Setting).where(tables.Setting.name == announced_name(record.file.path)))
            value = {"owner": process_owner(), "record": _to_json(record)}
            session.add(tables.Setting(name=announced_name(record.file.path), value=value))

    def announced_clips(self) -> list[Announced]:
        """Those that were not recorded; their processes may live."""
        with self.reading() as session:
            rows = session.scalars(select(tables.Setting).where(tables.Setting.name.startswith(announced_name())))
            return [Announced(_from_json(row.value["record"]), row.value["owner"], row.updated_at) for row in rows]

    def forget_announced(self, path: Path) -> None:
        """Nothing happens when there is none."""
        with self.writing() as session:
            session.execute(delete(tables.Setting).where(tables.Setting.name == announced_name(path)))

    def adopt_clip(self, record: ClipRecord) -> int:
        """Record a clip whose file was found.

        Raises:
            NotFoundError: when its source was deleted.
        """
        with self.reading() as session:
            if session.get(tables.Source, record.source_id) is None:
                raise NotFoundError(f"There is no source {record.source_id} in the library any more.")
        return self.record_clip(record)


def _to_json(record: ClipRecord) -> dict[str, Any]:
    file = record.file
    return {
        "source_id": record.source_id,
        "highlight": highlight_to_json(record.highlight),
        "kind": record.kind,
        "file": [str(file.path), file.size, file.sha256, file.mtime_ns],
        "span": [float(record.span.start_s), float(record.span.end_s)],
        "cut": record.cut,
        "row": to_json(record.row),
        "model_version": record.model_version,
        "quality": record.quality,
        "check_note": record.check_note,
    }


def _from_json(body: Mapping[str, Any]) -> ClipRecord:
    path, size, sha256, mtime_ns = body["file"]
    return ClipRecord(
        source_id=body["source_id"],
        highlight=highlight_from_json(body["highlight"]),
        kind=body["kind"],
        file=Published(Path(path), size, sha256, mtime_ns),
        span=Span(*body["span"]),
        cut=body["cut"],
        row={name: nan_if_none(value) for name, value in body["row"].items()},
        # The highlight's row may have been replaced by a later analysis.
        model_version=body["model_version"],
        quality=body["quality"],
        check_note=body["check_note"],
    )
