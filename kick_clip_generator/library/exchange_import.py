"""What another library exported, added to this one: labels teach here, too, also without the clips' files.

What is here already stays as it is. A clip whose file is not on this machine becomes a forgotten clip: it shows
nowhere, and its ratings teach. Importing twice changes nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.library import tables
from kick_clip_generator.library.exchange import FORM, JSON_COLUMNS, MANIFEST
from kick_clip_generator.library.files import sha256_of
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.places import NO_LABEL
from kick_clip_generator.library.records import LABEL_STARS

# Two machines write one moment of a clip alike but for the last digit.
SAME_S = 0.001

_NUMBERS = frozenset(
    {
        *("duration_s", "created_at", "updated_at", "start_s", "end_s", "event_start_s", "event_end_s", "score"),
        *("moved_at", "dropped_at"),
    }
)
_INTEGERS = frozenset(["size", "mtime_ns", "stars", "model_version_n", "video_size", "video_mtime_ns"])
_FLAGS = frozenset({"live", "kept", "skipped"})
_REQUIRED = {
    "sources": {"url", "fingerprint", "kind", "title"},
    "clips": {"source_url", "source_fingerprint", "kind", "start_s", "end_s", "highlight", "score", "name"},
    "clip_features": {"source_url", "source_fingerprint", "kind", "start_s", "end_s", "row"},
    "ratings": {"source_url", "source_fingerprint", "kind", "start_s", "end_s", "stars", "label", "created_at"},
}

_ClipKey = tuple[int, str, int, int]


def import_tables(library: Library, folder: Path) -> dict[str, int]:
    """Add what an export holds, in one transaction.

    Returns:
        how many rows of each table were new here.

    Raises:
        InputError: when the folder holds no export, or a table that cannot be read; then nothing is changed.
    """
    _check_manifest(folder)
    read = {name: list(_rows(folder, name)) for name in ("sources", "projects", "clips", "clip_features", "ratings")}
    others = {name: list(_rows(folder, name)) for name in ("highlights", "transcripts", "presets")}
    with library.writing() as session:
        sources, new_sources = _import_sources(session, read["sources"])
        counts = {"sources": len(new_sources), "projects": _import_projects(session, read["projects"], sources)}
        clips, new_clips = _import_clips(session, read["clips"], sources)
        counts["clips"] = len(new_clips)
        _import_features(session, read["clip_features"], sources, clips, new_clips)
        counts["ratings"] = _import_ratings(session, read["ratings"], sources, clips)
        # What this machine found by itself is not mixed with what another one did.
        counts["highlights"] = _import_parts(session, tables.Highlight, others["highlights"], sources, new_sources)
        counts["transcripts"] = _import_parts(session, tables.Transcript, others["transcripts"], sources, new_sources)
        counts["presets"] = _import_presets(session, others["presets"])
    return counts


def _check_manifest(folder: Path) -> None:
    try:
        form = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["form"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{folder} holds no export of a library; choose the folder with {MANIFEST}.") from error
    if form != FORM:
        raise InputError(f"{folder} was exported by another version of this program (form {form}); use that one.")


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a table with the types of their columns; an empty cell is None where that can be."""
    path = folder / f"{name}.csv"
    try:
        frame = pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8",
            encoding_errors="surrogatepass",
            lineterminator="\n",
        )
        missing = _REQUIRED.get(name, set()) - set(frame.columns)
        if missing:
            raise ValueError(f"there is no column {', '.join(sorted(missing))}")
        for row in frame.to_dict("records"):
            yield {str(column): _value(str(column), text) for column, text in row.items()}
    except FileNotFoundError:
        return
    except (OSError, ValueError, pd.errors.ParserError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as a table of a library ({error}); export it anew.") from error


def _value(column: str, text: str) -> Any:
    if column in JSON_COLUMNS:
        return json.loads(text)
    if column in _FLAGS:
        return text == "True"
    if text == "":
        return None
    if column in _NUMBERS:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"{column} is {text!r}")
        return number
    return int(text) if column in _INTEGERS else text


def _fitting(table: Any, row: dict[str, Any], *left_out: str) -> dict[str, Any]:
    """The values that the table has columns for."""
    columns = table.__table__.columns
    return {
        column.name: "" if row[column.name] is None and not column.nullable else row[column.name]
        for column in columns
        if column.name in row and column.name not in left_out
    }


def _import_sources(session: Session, rows: list[dict[str, Any]]) -> tuple[dict[tuple[str, str], int], set[int]]:
    """Ids here by URL and fingerprint there. A local file is known by its content, wherever it lies."""
    known: dict[tuple[str, str], int] = {}
    files: dict[str, int] = {}
    for source in session.scalars(select(tables.Source)):
        known[source.url, source.fingerprint] = source.id
        if source.kind == "file":
            files[source.fingerprint] = source.id
    new: set[int] = set()
    for row in rows:
        name = (row["url"] or "", row["fingerprint"] or "")
        if name in known:
            continue
        if row["kind"] == "file" and name[1] in files:
            known[name] = files[name[1]]
            continue
        values = _fitting(tables.Source, row)
        source = tables.Source(**values, search=" ".join(str(values.get(n, "")) for n in ("title", "channel", "url")))
        source.search = source.search.casefold()
        session.add(source)
        session.flush()
        known[name] = source.id
        new.add(source.id)
    return known, new


def _import_projects(session: Session, rows: list[dict[str, Any]], sources: dict[tuple[str, str], int]) -> int:
    known = set(session.scalars(select(tables.Project.url)))
    new = [row for row in rows if row["url"] not in known]
    for row in new:
        # Its folder and its download lie on the other machine.
        kept = {name: row[name] for name in ("url", "title", "created_at", "updated_at") if row.get(name) is not None}
        session.add(tables.Project(**kept, source_id=sources.get(_source_name(row))))
    return len(new)


def _source_name(row: dict[str, Any]) -> tuple[str, str]:
    return row.get("source_url") or "", row.get("source_fingerprint") or ""


def _clip_key(source_id: int, kind: str, start_s: float, end_s: float) -> _ClipKey:
    return source_id, kind, round(start_s / SAME_S), round(end_s / SAME_S)


def _key_of(row: dict[str, Any], sources: dict[tuple[str, str], int]) -> _ClipKey | None:
    source_id = sources.get(_source_name(row))
    return None if source_id is None else _clip_key(source_id, row["kind"] or "", row["start_s"], row["end_s"])


def _import_clips(
    session: Session, rows: list[dict[str, Any]], sources: dict[tuple[str, str], int]
) -> tuple[dict[_ClipKey, int], set[int]]:
    clip = tables.Clip
    here = session.execute(select(clip.source_id, clip.kind, clip.start_s, clip.end_s, clip.id, clip.path))
    clips: dict[_ClipKey, int] = {}
    paths: set[str] = set()
    for source_id, kind, start_s, end_s, clip_id, path in here:
        clips[_clip_key(source_id, kind, start_s, end_s)] = clip_id
        paths.add(path or "")
    new: set[int] = set()
    for row in rows:
        key = _key_of(row, sources)
        if key is None or key in clips:
            continue
        values = _fitting(clip, row, "model_version_n", "stars", "skipped", "kept", "dropped_at", "path", "home")
        path = row.get("path")
        is_here = path is not None and path not in paths and _has(Path(path), row.get("size"), row.get("sha256"))
        made = clip(
            **{name: value for name, value in values.items() if value != "" or name in ("name", "sha256")},
            source_id=key[0],
            search=str(row["name"] or "").casefold(),
            path=path if is_here else None,
            home=row.get("home") if is_here else None,
        )
        session.add(made)
        session.flush()
        clips[key] = made.id
        new.add(made.id)
    return clips, new


def _has(path: Path, size: int | None, sha256: str | None) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size and sha256_of(path) == sha256
    except (OSError, ValueError):
        return False


def _import_features(
    session: Session,
    rows: list[dict[str, Any]],
    sources: dict[tuple[str, str], int],
    clips: dict[_ClipKey, int],
    new: set[int],
) -> None:
    for row in rows:
        key = _key_of(row, sources)
        clip_id = clips.get(key) if key is not None else None
        if clip_id in new:
            new.discard(clip_id)
            session.add(tables.ClipFeature(clip_id=clip_id, row=row["row"]))


def _import_ratings(
    session: Session, rows: list[dict[str, Any]], sources: dict[tuple[str, str], int], clips: dict[_ClipKey, int]
) -> int:
    """Those that are newer than what is known of their clip, in the order of their times."""
    rating = tables.Rating
    latest = dict(session.execute(select(rating.clip_id, func.max(rating.created_at)).group_by(rating.clip_id)).all())
    added = 0
    for row in sorted(rows, key=lambda row: float(row["created_at"])):
        key = _key_of(row, sources)
        clip_id = clips.get(key) if key is not None else None
        # What is known already, or was said before somebody here changed their mind.
        if clip_id is None or row["created_at"] <= latest.get(clip_id, 0.0):
            continue
        stars, label = row["stars"], row["label"]
        if stars not in (None, 1, 2, 3, 4, 5) or label not in (None, NO_LABEL, *LABEL_STARS):
            raise InputError(f"The ratings hold {stars or label!r}, which is neither 1 to 5 stars nor a label.")
        # Which model had chosen the clip means nothing here.
        session.add(rating(clip_id=clip_id, stars=stars, label=label, created_at=row["created_at"]))
        added += 1
        latest[clip_id] = row["created_at"]
        clip = session.get_one(tables.Clip, clip_id)
        clip.stars = stars if stars is not None else clip.stars
        if label is None:
            clip.skipped = stars is None
        else:
            clip.kept = label == "keep"
            clip.dropped_at = row["created_at"] if label == "drop" else None
    session.flush()
    return added


def _import_parts(
    session: Session,
    table: Any,
    rows: list[dict[str, Any]],
    sources: dict[tuple[str, str], int],
    new_sources: set[int],
) -> int:
    added = 0
    for row in rows:
        source_id = sources.get(_source_name(row))
        if source_id in new_sources:
            session.add(table(**_fitting(table, row), source_id=source_id))
            added += 1
    return added


def _import_presets(session: Session, rows: list[dict[str, Any]]) -> int:
    known = set(session.scalars(select(tables.Preset.name)))
    new = [row for row in rows if row["name"] not in known]
    session.add_all(tables.Preset(**_fitting(tables.Preset, row)) for row in new)
    return len(new)
