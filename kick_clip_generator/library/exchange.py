"""Everything in the library as CSV tables, for spreadsheets and for another machine's library.

A row is named by what it is, not by its id, which means something on one machine alone: a source by its URL and
fingerprint, a clip by its source, kind and span, a rating by its clip and time. Secrets (tokens, sessions, webhooks)
and jobs stay at home.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, select

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library import tables
from kick_clip_generator.library.files import check_writable, part_file, publish
from kick_clip_generator.library.library import Library

FORM = 1
MANIFEST = "library.json"

Column = ColumnElement[Any]

SOURCE_NAME = {"source_url": tables.Source.__table__.c.url, "source_fingerprint": tables.Source.__table__.c.fingerprint}
_CLIP_NAME = {name: tables.Clip.__table__.c[name] for name in ("kind", "start_s", "end_s")}

# Columns that hold JSON; in a CSV they are text.
JSON_COLUMNS = ("highlight", "body", "words", "row", "kinds", "metrics")


def _columns(table: Any, *left_out: str) -> dict[str, Column]:
    return {column.name: column for column in table.__table__.columns if column.name not in left_out}


def _with_source(statement_columns: Mapping[str, Column], table: Any) -> Select[Any]:
    columns = {**SOURCE_NAME, **statement_columns}
    return (
        select(*(column.label(name) for name, column in columns.items()))
        .join_from(table, tables.Source, tables.Source.id == table.source_id)
        .order_by(table.id)
    )


def _with_clip(statement_columns: Mapping[str, Column], table: Any) -> Select[Any]:
    columns = {**SOURCE_NAME, **_CLIP_NAME, **statement_columns}
    return (
        select(*(column.label(name) for name, column in columns.items()))
        .join_from(table, tables.Clip, tables.Clip.id == table.clip_id)
        .join(tables.Source, tables.Source.id == tables.Clip.source_id)
        .order_by(*table.__table__.primary_key.columns)
    )


def _statements() -> dict[str, Select[Any]]:
    """What each table holds, by the name of its file."""
    sources = _columns(tables.Source, "id", "search")
    projects = {**_columns(tables.Project, "id", "source_id"), **SOURCE_NAME}
    compounds = {"project_url": tables.Project.__table__.c.url, **_columns(tables.CompoundClip, "id", "project_id")}
    clip_facts = ("id", "source_id", "highlight_id", "search", "announced")
    return {
        "sources": select(*sources.values()).order_by(tables.Source.id),
        "projects": select(*(column.label(name) for name, column in projects.items()))
        .outerjoin(tables.Source, tables.Source.id == tables.Project.source_id)
        .order_by(tables.Project.id),
        "highlights": _with_source(_columns(tables.Highlight, "id", "source_id", "job_id"), tables.Highlight),
        "clips": _with_source(_columns(tables.Clip, *clip_facts), tables.Clip),
        "clip_features": _with_clip(_columns(tables.ClipFeature, "clip_id"), tables.ClipFeature),
        "ratings": _with_clip(_columns(tables.Rating, "id", "clip_id"), tables.Rating),
        "compounds": select(*(column.label(name) for name, column in compounds.items()))
        .join(tables.Project, tables.Project.id == tables.CompoundClip.project_id)
        .order_by(tables.CompoundClip.id),
        "transcripts": _with_source(_columns(tables.Transcript, "id", "source_id"), tables.Transcript),
        "presets": select(*_columns(tables.Preset, "id").values()).order_by(tables.Preset.id),
        "models": select(*_columns(tables.ModelVersion).values()).order_by(tables.ModelVersion.n),
    }


def export_tables(library: Library, folder: Path) -> dict[str, int]:
    """Write one CSV a table, of one moment of the library, and a JSON that says what they are.

    Args:
        folder: made when missing; tables of an earlier export in it are replaced.

    Returns:
        how many rows each table has.

    Raises:
        LibraryError: when the folder cannot be written.
    """
    check_writable(folder)
    counts: dict[str, int] = {}
    with library.reading() as session:
        for name, statement in _statements().items():
            found = session.execute(statement)
            frame = pd.DataFrame(found.all(), columns=list(found.keys()), dtype=object)
            for column in set(JSON_COLUMNS) & set(frame.columns):
                frame[column] = frame[column].map(lambda value: json.dumps(value, ensure_ascii=False))
            counts[name] = len(frame)
            _write(folder / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n"))
    _write(folder / MANIFEST, json.dumps({"form": FORM, "rows": counts}, indent=2) + "\n")
    return counts


def _write(path: Path, text: str) -> None:
    with part_file(path) as part:
        try:
            # File names that are not UTF-8 come as lone surrogates.
            part.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
        except OSError as error:
            raise LibraryError(f"{path} cannot be written ({error.strerror}); choose another folder.") from error
        publish(part, path, replace=True)
