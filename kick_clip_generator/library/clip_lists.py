"""One page of clips as a statement: filters, orders, and the marker of the next page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.library import tables
from kick_clip_generator.library.pages import check_limit, make_marker, read_marker
from kick_clip_generator.library.records import MAX_STARS, MIN_STARS, Clip, ClipQuery

# Nobody types more; every word is looked for in every row.
MAX_TEXT = 200
MAX_WORDS = 10


@dataclass(frozen=True, slots=True)
class _Order:
    """The columns of an order (the id makes it total), what a marker holds of them, and whether it falls."""

    columns: tuple[ColumnElement[Any], ...]
    kinds: tuple[type, ...]
    falls: bool


_row = tables.Clip.__table__.c
_ORDERS = {
    "newest": _Order((_row.id,), (int,), True),
    "oldest": _Order((_row.id,), (int,), False),
    "score": _Order((_row.score, _row.id), (float, int), True),
    "stars": _Order((tables.STARS_OR_NONE, _row.id), (int, int), True),
    "name": _Order((_row.name, _row.id), (str, int), False),
}


def check_query(query: ClipQuery) -> None:
    """Raises:
    InputError: when a value of the query is out of range.
    """
    check_limit(query.limit)
    for name, stars in (("min_stars", query.min_stars), ("max_stars", query.max_stars)):
        if stars is not None and not MIN_STARS <= stars <= MAX_STARS:
            raise InputError(f"{name}={stars} is not valid: it should be {MIN_STARS} to {MAX_STARS}.")
    for name, at in (("made_after", query.made_after), ("made_before", query.made_before)):
        if at is not None and not math.isfinite(at):
            raise InputError(f"{name}={at} is not valid: it should be a time in UNIX seconds.")
    if len(query.text) > MAX_TEXT or len(query.text.split()) > MAX_WORDS:
        raise InputError(f"Search for at most {MAX_WORDS} words and {MAX_TEXT} characters.")
    if query.sort not in _ORDERS:
        raise InputError(f"sort={query.sort!r} is not valid: it should be one of {', '.join(_ORDERS)}.")


def page_statement(query: ClipQuery) -> Select[Any]:
    """The columns of clips with `source_url` and `source_title`; one more than the page holds tells of a next page.

    The ids are found first, in an index that has all that filters ask for (see `list_indexes`).

    Raises:
        InputError: when `query.after` is no marker of this order.
    """
    order = _ORDERS[query.sort]
    conditions = _conditions(query)
    if query.after is not None:
        here, last = tuple_(*order.columns), read_marker(query.after, query.sort, order.kinds)
        conditions.append(here < last if order.falls else here > last)
    ordered = [column.desc() if order.falls else column for column in order.columns]
    ids = select(_row.id).where(and_(*conditions)).order_by(*ordered).limit(query.limit + 1).subquery()
    return (
        # Columns and no objects, which take half as long again for a page.
        select(
            *tables.Clip.__table__.columns,
            tables.Source.url.label("source_url"),
            tables.Source.title.label("source_title"),
        )
        .join(ids, ids.c.id == tables.Clip.id)
        .join(tables.Source, tables.Source.id == tables.Clip.source_id)
        .order_by(*ordered)
    )


def marker_after(query: ClipQuery, last: Clip) -> str:
    """The marker of the page that begins after a clip."""
    keys: dict[str, list[Any]] = {"score": [last.score], "stars": [last.stars or 0], "name": [last.name]}
    return make_marker(query.sort, [*keys.get(query.sort, []), last.id])


def _conditions(query: ClipQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_row.path.is_not(None)]
    sources = tables.Source.__table__.c
    if query.kind is not None:
        conditions.append(_row.kind == query.kind)
    if query.min_stars is not None:
        conditions.append(_row.stars >= query.min_stars)
    if query.max_stars is not None:
        conditions.append(_row.stars <= query.max_stars)
    if query.unrated:
        conditions.append(_row.stars.is_(None))
    if query.skipped is not None:
        conditions.append(_row.skipped.is_(query.skipped))
    if query.kept is not None:
        conditions.append(_row.kept.is_(query.kept))
    if query.dropped is not None:
        conditions.append(_row.dropped_at.is_not(None) if query.dropped else _row.dropped_at.is_(None))
    if query.made_after is not None:
        conditions.append(_row.created_at >= query.made_after)
    if query.made_before is not None:
        conditions.append(_row.created_at < query.made_before)
    if query.source_id is not None:
        conditions.append(_row.source_id == query.source_id)
    if query.project_id is not None:
        of_project = select(tables.Project.source_id).where(tables.Project.id == query.project_id)
        conditions.append(_row.source_id == of_project.scalar_subquery())
    if query.channel is not None:
        of_channel = select(sources.id).where(sources.channel == query.channel)
        # A sum keeps the index of sources out: a channel can have most of all clips, in the wide rows one by one.
        conditions.append((_row.source_id + 0).in_(of_channel))
    # Last, because SQLite looks at conditions in this order, and words are the dearest.
    for word in query.text.casefold().split():
        of_source = select(sources.id).where(sources.search.contains(word, autoescape=True))
        conditions.append(or_(_row.search.contains(word, autoescape=True), _row.source_id.in_(of_source)))
    return conditions
