"""Jobs: what goes on, what went wrong, cancelled and tried again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from kick_clip_generator.api.context import After, Context, Limit, RowId
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.library.records import JobInfo, JobQuery, JobStatus, ShownStatus
from kick_clip_generator.service.job_words import job_document
from kick_clip_generator.service.jobs import cancel_job, delete_job, retry_job

JobKind = Literal[
    "download",
    "analyze",
    "live",
    "transcribe",
    "clips",
    "verify",
    "export",
    "export_batch",
    "compound",
    "retrain",
    "retention",
    "backup",
]


class JobOut(BaseModel):
    id: int
    kind: str
    status: ShownStatus = Field(description="For people.")
    state: JobStatus = Field(description="For programs; `waiting` is split into parts that go on.")
    step: str
    progress: float = Field(ge=0, le=1)
    detail: dict[str, Any] = Field(description="done, total, speed, eta_s, message, as far as they are known.")
    attempts: int
    max_attempts: int
    priority: int
    cancel_requested: bool
    error: str | None = Field(description="A sentence for people.")
    result: dict[str, Any]
    project_id: int | None
    parent_id: int | None
    created_at: float = Field(description="UNIX seconds, like all times here.")
    updated_at: float
    started_at: float | None
    ended_at: float | None
    not_before: float | None = Field(description="When it is tried again after a failure.")


class JobWithTrace(JobOut):
    error_detail: str | None = Field(description="For the error log: where it failed.")


class JobPage(BaseModel):
    jobs: list[JobOut]
    after: str | None = Field(description="Begins the next page; null at the end.")


def jobs_router(context: Context) -> APIRouter:
    """The routes under `/api/jobs`."""
    router = APIRouter(prefix="/api/jobs", tags=["jobs"], responses=PROBLEMS)
    library, settings = context.library, context.settings

    @router.get("", response_model=JobPage)
    def list_jobs(
        state: JobStatus | None = None,
        kind: JobKind | None = None,
        project_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Response:
        """Jobs, the newest first; `state=failed` is the error log."""
        return page_of_jobs(context, JobQuery(status=state, kind=kind, project_id=project_id, after=after, limit=limit))

    @router.get("/{job_id:int}", response_model=JobWithTrace)
    def show_job(job_id: RowId) -> Response:
        """One job."""
        job = library.job(job_id)
        return JSONResponse({**job_document(job), "error_detail": job.error_detail})

    @router.post("/{job_id:int}/cancel", response_model=JobOut)
    def cancel(job_id: RowId) -> Response:
        """Cancel a job: at once when it waits, within seconds when it runs. What is finished is kept."""
        return job_answer(cancel_job(library, job_id))

    @router.post("/{job_id:int}/retry", response_model=JobOut)
    def retry(job_id: RowId) -> Response:
        """Try a job again that failed or was cancelled; it goes on where it stopped."""
        return job_answer(retry_job(library, settings, job_id))

    @router.delete("/{job_id:int}", status_code=204)
    def remove(job_id: RowId) -> Response:
        """Delete a job; one that runs is cancelled."""
        delete_job(library, settings, job_id)
        return Response(status_code=204)

    return router


def job_answer(job: JobInfo, status: int = 200) -> Response:
    """A `JobOut`."""
    return JSONResponse(job_document(job), status)


def page_of_jobs(context: Context, query: JobQuery) -> Response:
    """A `JobPage`."""
    page = context.library.jobs(query)
    return JSONResponse({"jobs": [job_document(job) for job in page.items], "after": page.after})
