"""Server-sent events: every change of a job, as it happens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from kick_clip_generator.api.context import Context
from kick_clip_generator.api.problems import PROBLEMS, problem
from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.records import JobInfo
from kick_clip_generator.service.job_words import job_document

LOOK_EVERY_S = 0.5
# Proxies close what is silent for a minute.
ALIVE_EVERY_S = 15.0
# Changes may show later than their times say, see `changes_since`.
OVERLAP_S = 2.0
MOST_STREAMS = 100
MOST_CHANGES = 5000

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `job` with a job as JSON; `id` is for `Last-Event-ID`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def events_router(context: Context) -> APIRouter:
    """The route `/api/events`."""
    router = APIRouter(tags=["jobs"], responses=PROBLEMS)
    open_streams = 0

    @router.get("/api/events", response_class=StreamingResponse, responses=STREAM)
    async def events(
        since: Annotated[
            float | None, Query(ge=0, le=1e12, allow_inf_nan=False, description="Only changes after this time.")
        ] = None,
        project_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        once: Annotated[bool, Query(description="End after what there is now, instead of waiting for more.")] = False,
        last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    ) -> object:
        """Changes of jobs as server-sent events, from now on, or from `since` or `Last-Event-ID` on."""
        if open_streams >= MOST_STREAMS:
            return problem(503, f"There are {MOST_STREAMS} event streams already; close one.")
        start = await run_in_threadpool(_start, context, since, last_event_id)
        return StreamingResponse(
            counted(changes(context, start, project_id, once=once)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def counted(stream: AsyncIterator[str]) -> AsyncIterator[str]:
        nonlocal open_streams
        open_streams += 1
        try:
            async for text in stream:
                yield text
        finally:
            open_streams -= 1

    return router


async def changes(context: Context, since: float, project_id: int | None, *, once: bool = False) -> AsyncIterator[str]:
    """The text of an event stream."""
    start = since
    told: dict[int, float] | None = None
    said_at_s = time.monotonic()
    yield ": here are the jobs\n\n"
    while True:
        try:
            found = await run_in_threadpool(context.library.changes_since, since - OVERLAP_S, limit=MOST_CHANGES)
        except LibraryError:
            found = []  # locked for a moment; the next look sees it all
        for job in found:
            is_new = job.updated_at > start if told is None else told.get(job.id) != job.updated_at
            if is_new and project_id in (None, job.project_id):
                yield _event(job)
                said_at_s = time.monotonic()
        told = {job.id: job.updated_at for job in found}
        since = max([since, *told.values()])
        if once:
            return
        if time.monotonic() - said_at_s > ALIVE_EVERY_S:
            yield ": still here\n\n"
            said_at_s = time.monotonic()
        await asyncio.sleep(LOOK_EVERY_S)


def _event(job: JobInfo) -> str:
    return f"event: job\nid: {job.updated_at:.6f}\ndata: {json.dumps(job_document(job))}\n\n"


def _start(context: Context, since: float | None, last_event_id: str | None) -> float:
    """By the database's clock, which is not this machine's."""
    if last_event_id:
        try:
            return min(max(float(last_event_id), 0.0), 1e12)
        except ValueError:
            pass
    return context.library.now() if since is None else since
