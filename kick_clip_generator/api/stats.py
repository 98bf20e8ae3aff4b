"""Counts: for people as JSON, for Prometheus as text."""

from __future__ import annotations

import shutil
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from kick_clip_generator import __version__
from kick_clip_generator.api.context import Context
from kick_clip_generator.api.measured import Measured
from kick_clip_generator.api.problems import PROBLEMS

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class JobCount(BaseModel):
    kind: str
    state: str
    count: int


class Stats(BaseModel):
    version: str
    projects: int
    sources: int
    clips: int
    clip_bytes: int
    kept: int
    dropped: int
    compounds: int
    rated: int
    skips: int
    stars: Annotated[dict[str, int], Field(description="Clips by their stars, 1 to 5.")]
    jobs: list[JobCount]
    active_model: int | None
    free_bytes: int | None = Field(description="Left on the disk of the clips; null when its folder is not there.")


def stats_router(context: Context, measured: Measured) -> APIRouter:
    """The routes `/api/stats` and `/api/metrics`."""
    router = APIRouter(tags=["server"], responses=PROBLEMS)

    def counted() -> Stats:
        library = context.library
        totals, ratings, active = library.totals(), library.rating_counts(), library.active_model()
        return Stats(
            version=__version__,
            projects=totals.projects,
            sources=totals.sources,
            clips=totals.clips,
            clip_bytes=totals.clip_bytes,
            kept=totals.kept,
            dropped=totals.dropped,
            compounds=totals.compounds,
            rated=ratings.rated_clips,
            skips=ratings.skips,
            stars={str(stars): count for stars, count in ratings.by_stars.items()},
            jobs=[JobCount(kind=kind, state=state, count=n) for (kind, state), n in sorted(totals.jobs.items())],
            active_model=None if active is None else active.n,
            free_bytes=_free_bytes(context),
        )

    @router.get("/api/stats")
    def stats() -> Stats:
        """How much there is of everything."""
        return counted()

    @router.get(
        "/api/metrics",
        response_class=PlainTextResponse,
        responses={200: {"content": {TEXT_TYPE: {"schema": {"type": "string"}}}}},
    )
    def metrics() -> Response:
        """The same for Prometheus, and how requests were answered."""
        return Response("\n".join([*_gauges(counted()), *measured.lines(), ""]), media_type=TEXT_TYPE)

    return router


def _gauges(stats: Stats) -> list[str]:
    lines = [
        "# TYPE clips_info gauge",
        f'clips_info{{version="{stats.version}"}} 1',
    ]
    for name, meaning, value in (
        ("projects", "Projects in the library.", stats.projects),
        ("clips", "Clips with a file.", stats.clips),
        ("clip_bytes", "What the clips take on the disk.", stats.clip_bytes),
        ("compounds", "Compound clips.", stats.compounds),
        ("rated", "Clips with stars.", stats.rated),
        ("free_bytes", "Left on the disk of the clips.", stats.free_bytes),
        ("active_model", "The model that ranks, 0 for the heuristic alone.", stats.active_model or 0),
    ):
        if value is not None:
            lines += [f"# HELP clips_{name} {meaning}", f"# TYPE clips_{name} gauge", f"clips_{name} {value}"]
    lines += ["# HELP clips_jobs Jobs by kind and state.", "# TYPE clips_jobs gauge"]
    lines += [f'clips_jobs{{kind="{row.kind}",state="{row.state}"}} {row.count}' for row in stats.jobs]
    return lines


def _free_bytes(context: Context) -> int | None:
    try:
        return shutil.disk_usage(context.settings.clips_dir).free
    except OSError:
        return None
