"""Filters and orders of lists of clips, against plain Python over the same facts, on both databases."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from library_facts import a_clip, a_source
from sqlalchemy import text

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, ClipQuery, ClipSort

CHANNELS = ("alice", "bob", "50%_off")


@dataclass(frozen=True)
class Shelf:
    """Sixty clips of six sources with all kinds of facts."""

    library: Library
    clips: list[Clip]
    channels: dict[int, str]
    projects: dict[int, int]


@pytest.fixture
def shelf(library: Library, tmp_path: Path) -> Shelf:
    rng = random.Random(3)
    channels, projects = {}, {}
    for n in range(6):
        source = replace(a_source(f"https://example.com/{n}", f"Title {n % 2}"), channel=CHANNELS[n % 3])
        source_id = library.record_source(source)
        channels[source_id] = CHANNELS[n % 3]
        project = library.add_project(source.url)
        library.attach_source(project.id, source_id)
        projects[source_id] = project.id
    ids = []
    for n in range(60):
        source_id = rng.choice(list(channels))
        record = a_clip(
            source_id,
            tmp_path / str(n) / f"{rng.choice(('Ace', 'ace', 'Übung', 'fail_1'))}.mp4",
            start_s=60.0 * n,
            score=rng.choice((0.1, 0.5, 0.9)),
            kind=rng.choice(("audio", "video")),
        )
        ids.append(library.record_clip(record))
        if rng.random() < 0.5:
            library.rate(ids[-1], rng.choice((1, 2, 5, None)), None)
        if rng.random() < 0.3:
            library.update_clip(ids[-1], kept=True)
    with library.writing() as session:
        for n, clip_id in enumerate(ids):
            session.execute(text("UPDATE clip SET created_at = :at WHERE id = :id"), {"at": 1000.0 * n, "id": clip_id})
    library.forget_clip(ids[7])
    return Shelf(library, [library.clip(one) for one in ids if one != ids[7]], channels, projects)


def listed(library: Library, query: ClipQuery) -> list[int]:
    """All pages, with a page size that cuts through equal keys."""
    seen: list[int] = []
    after: str | None = None
    while True:
        page = library.clips(replace(query, after=after, limit=7))
        seen += [clip.id for clip in page.items]
        after = page.after
        if after is None:
            return seen


def in_order(clips: list[Clip], sort: ClipSort) -> list[int]:
    falling = {"newest": lambda c: c.id, "score": lambda c: (c.score, c.id), "stars": lambda c: (c.stars or 0, c.id)}
    if sort in falling:
        return [clip.id for clip in sorted(clips, key=falling[sort], reverse=True)]
    return [clip.id for clip in sorted(clips, key=lambda c: (c.name, c.id) if sort == "name" else c.id)]


def test_every_filter_in_every_order(shelf: Shelf) -> None:
    project_id = next(iter(shelf.projects.values()))
    filters: list[tuple[dict[str, Any], Any]] = [
        ({}, lambda c: True),
        ({"kind": "audio"}, lambda c: c.kind == "audio"),
        ({"min_stars": 2}, lambda c: (c.stars or 0) >= 2),
        ({"max_stars": 2}, lambda c: c.stars is not None and c.stars <= 2),
        ({"min_stars": 2, "max_stars": 2}, lambda c: c.stars == 2),
        ({"unrated": True}, lambda c: c.stars is None),
        ({"skipped": True}, lambda c: c.skipped),
        ({"kept": True}, lambda c: c.kept),
        ({"kept": False, "kind": "video"}, lambda c: not c.kept and c.kind == "video"),
        ({"channel": "bob"}, lambda c: shelf.channels[c.source_id] == "bob"),
        ({"channel": "BOB"}, lambda c: False),
        ({"channel": "50%_off"}, lambda c: shelf.channels[c.source_id] == "50%_off"),
        ({"project_id": project_id}, lambda c: shelf.projects[c.source_id] == project_id),
        ({"project_id": 999}, lambda c: False),
        ({"made_after": 20_000.0, "made_before": 40_000.0}, lambda c: 20_000 <= c.created_at < 40_000),
        ({"text": "ACE"}, lambda c: "ace" in c.name.lower()),
        ({"text": "übung bob"}, lambda c: "Übung" in c.name and shelf.channels[c.source_id] == "bob"),
        ({"text": "_1"}, lambda c: "_1" in c.name),
        ({"text": "title 0%"}, lambda c: "0%" in shelf.channels[c.source_id]),
        ({"text": "nowhere"}, lambda c: False),
    ]
    for (changes, fits), sort in itertools.product(filters, get_args(ClipSort)):
        expected = in_order([clip for clip in shelf.clips if fits(clip)], sort)
        assert listed(shelf.library, ClipQuery(sort=sort, **changes)) == expected, (changes, sort)
    assert 3 < len(listed(shelf.library, ClipQuery(text="übung bob"))) < 20


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": 0},
        {"limit": 501},
        {"min_stars": 0},
        {"max_stars": 6},
        {"made_after": float("nan")},
        {"made_before": float("inf")},
        {"sort": "random"},
        {"text": "x" * 201},
        {"text": "a " * 11},
        {"project_id": 2**40},
    ],
)
def test_queries_out_of_range(library: Library, changes: dict[str, Any]) -> None:
    if "project_id" in changes and library.path is not None:
        assert library.clips(ClipQuery(**changes)).items == ()
        return
    with pytest.raises(InputError):
        library.clips(ClipQuery(**changes))


def test_a_marker_of_another_order_is_refused(shelf: Shelf) -> None:
    page = shelf.library.clips(ClipQuery(sort="score", limit=5))
    for sort in ("newest", "stars", "name"):
        with pytest.raises(InputError, match="first page"):
            shelf.library.clips(ClipQuery(sort=sort, after=page.after))
