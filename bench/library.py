"""Pages of a library of 100,000 clips: milliseconds for random filters and sorts, on SQLite or PostgreSQL."""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
from sqlalchemy import insert

from kick_clip_generator.core.records import KINDS
from kick_clip_generator.library import tables
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.projects import ProjectQuery
from kick_clip_generator.library.records import ClipQuery, ClipSort

CLIPS_PER_SOURCE = 50
LINES_PER_SOURCE = 100
DAY_S = 86400.0
BATCH = 5000
WORDS = (  # noqa: SIM905  # a list of these would be a page
    "insane clutch ace speedrun world record fail laugh scream donation raid boss fight final round chat reacts "
    "unboxing irl cooking music guitar drums chess blitz checkmate rage quit jumpscare horror midnight marathon"
).split()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench library", description=__doc__)
    parser.add_argument("--clips", type=int, default=100_000, metavar="N")
    parser.add_argument("--queries", type=int, default=2000, metavar="N", help="of each sort of page")
    parser.add_argument("--database", metavar="URL or FILE", help="default: a new SQLite file; filled when empty")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, Library.open(args.database or Path(folder, "clips.db")) as library:
        if not library.sources():
            began = time.perf_counter()
            fill(library, args.clips)
            print(f"filled with {args.clips} clips in {time.perf_counter() - began:.0f} s")
        figures = {name: _measure(ask, args.queries) for name, ask in _questions(library).items()}
    print(f"{'':24}{'median':>9}{'p95':>9}{'p99':>9}{'most':>9}   ms{'p95':>9}   CPU-ms")
    for name, (median, p95, p99, most, cpu) in figures.items():
        print(f"{name:24}{median:9.1f}{p95:9.1f}{p99:9.1f}{most:9.1f}     {cpu:9.1f}")
    if args.json:
        names = ("median_ms", "p95_ms", "p99_ms", "max_ms", "p95_cpu_ms")
        args.json.write_text(json.dumps({key: dict(zip(names, row, strict=True)) for key, row in figures.items()}))
    return 0


def fill(library: Library, clips: int) -> None:
    """Clips as long use leaves them: some channels have many, few clips have stars, the newest fewest."""
    rng = random.Random(7)
    sources = max(1, clips // CLIPS_PER_SOURCE)
    now = time.time()
    with library.writing() as session:
        for rows in _batches(_source(rng, n, sources, now) for n in range(1, sources + 1)):
            session.execute(insert(tables.Source), rows)
        for rows in _batches({"id": n, "url": _url(n), "title": "", "source_id": n} for n in range(1, sources + 1)):
            session.execute(insert(tables.Project), rows)
        for rows in _batches(_clip(rng, n, clips, sources, now) for n in range(1, clips + 1)):
            session.execute(insert(tables.Clip), rows)
        for rows in _batches(_line(rng, n) for n in range(sources * LINES_PER_SOURCE)):
            session.execute(insert(tables.Transcript), rows)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _title(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=5))


def _url(n: int) -> str:
    return f"https://example.com/videos/{n:08x}"


def _source(rng: random.Random, n: int, sources: int, now: float) -> dict[str, Any]:
    title, channel = _title(rng), f"channel{int(rng.paretovariate(0.7)) % 300}"
    at = now - (sources - n) / sources * 700 * DAY_S
    return {
        "id": n,
        "url": _url(n),
        "kind": "hls",
        "title": title,
        "channel": channel,
        "duration_s": rng.uniform(600, 36000),
        "fingerprint": str(n),
        "live": False,
        "search": f"{title} {channel} {_url(n)}",
        "created_at": at,
        "updated_at": at,
    }


def _clip(rng: random.Random, n: int, clips: int, sources: int, now: float) -> dict[str, Any]:
    source = 1 + (n - 1) * sources // clips
    start_s = rng.uniform(0, 30000)
    score = round(rng.betavariate(2, 3), 6)
    kind = rng.choice(KINDS)
    name = f"{_title(rng).replace(' ', '_')}_{n}.mp4"
    stars = rng.choice((1, 2, 3, 4, 5)) if rng.random() < 0.1 else None
    highlight = {
        "start": start_s,
        "end": start_s + 30,
        "event_start": start_s + 5,
        "event_end": start_s + 20,
        "peak": start_s + 12,
        "score": score,
        "kind": kind,
        "heuristic_score": score,
        "ml_score": None,
        "reasons": [
            {"signal": signal, "contribution": 0.1, "text": f"{signal.replace('_', ' ')} +{rng.uniform(1, 5):.1f} σ"}
            for signal in ("onset_strength", "rms_mean", "spectral_flux", "motion_mean", "brightness_change")
        ],
    }
    at = now - (clips - n) / clips * 700 * DAY_S
    return {
        "id": n,
        "source_id": source,
        "highlight": highlight,
        "kind": kind,
        "path": f"/srv/clips/{source}/{name}",
        "home": f"/srv/clips/{source}",
        "name": name,
        "search": name.casefold(),
        "size": rng.randrange(10**6, 10**8),
        "mtime_ns": int(at * 1e9),
        "sha256": f"{rng.getrandbits(256):064x}",
        "start_s": start_s,
        "end_s": start_s + 30,
        "event_start_s": start_s + 5,
        "event_end_s": start_s + 20,
        "score": score,
        "cut": "smart",
        "stars": stars,
        "skipped": stars is None and rng.random() < 0.05,
        "kept": rng.random() < 0.02,
        "dropped_at": at if rng.random() < 0.03 else None,
        "created_at": at,
    }


def _line(rng: random.Random, n: int) -> dict[str, Any]:
    start_s = n % LINES_PER_SOURCE * 60.0
    return {
        "source_id": 1 + n // LINES_PER_SOURCE,
        "start_s": start_s,
        "end_s": start_s + 5,
        "text": " ".join(rng.choices(WORDS, k=8)),
        "words": [],
    }


def _questions(library: Library) -> dict[str, Callable[[random.Random], object]]:
    return {
        "any filter and sort": lambda rng: library.clips(_query(rng)),
        "a later page": _later_page(library),
        "text that is nowhere": lambda rng: library.clips(ClipQuery(text="zzqx", sort=_sort(rng))),
        "text and filters": lambda rng: library.clips(_query(rng, text=" ".join(rng.sample(WORDS, 3)))),
        "projects": lambda rng: library.projects(ProjectQuery(text=rng.choice(("", *WORDS)))),
        "transcripts": lambda rng: library.search_transcripts(" ".join(rng.sample(WORDS, rng.randint(1, 3)))),
    }


def _sort(rng: random.Random) -> ClipSort:
    return rng.choice(get_args(ClipSort))


def _query(rng: random.Random, **changes: Any) -> ClipQuery:
    """Each filter is set now and then, so that some queries find all clips and some none."""
    day = time.time() - rng.uniform(0, 700) * DAY_S
    filters: dict[str, Any] = {
        "text": rng.choice((*WORDS, "clutch ace", "00000", "channel1")),
        "kind": rng.choice(KINDS),
        "min_stars": rng.randint(1, 5),
        "unrated": True,
        "kept": rng.random() < 0.5,
        "skipped": rng.random() < 0.5,
        "dropped": rng.choice((None, True)),
        "channel": f"channel{rng.randrange(300)}",
        "source_id": rng.randint(1, 2000),
        "project_id": rng.randint(1, 2000),
        "made_after": day,
        "made_before": day + rng.uniform(1, 100) * DAY_S,
    }
    chosen = {name: value for name, value in filters.items() if rng.random() < 0.15}
    return ClipQuery(**{"sort": _sort(rng), "limit": rng.choice((24, 50, 100)), **chosen, **changes})


def _later_page(library: Library) -> Callable[[random.Random], object]:
    markers: dict[ClipSort, list[str]] = {}
    for sort in get_args(ClipSort):
        after: str | None = None
        for _ in range(40):
            after = library.clips(ClipQuery(sort=sort, after=after, limit=500)).after
            markers.setdefault(sort, []).append(after or "")
            if after is None:
                break

    def ask(rng: random.Random) -> object:
        sort = _sort(rng)
        return library.clips(ClipQuery(sort=sort, after=rng.choice(markers[sort]) or None))

    return ask


def _measure(ask: Callable[[random.Random], object], queries: int) -> tuple[float, ...]:
    rng = random.Random(11)
    times, spent = [], []
    for _ in range(queries):
        began, cpu = time.perf_counter(), time.process_time()
        ask(rng)
        times.append((time.perf_counter() - began) * 1000)
        spent.append((time.process_time() - cpu) * 1000)
    return (*(float(np.percentile(times, share)) for share in (50, 95, 99, 100)), float(np.percentile(spent, 95)))
