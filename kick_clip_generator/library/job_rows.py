"""What all who touch the rows of jobs share: who holds one, how it is taken, how it is told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, or_, update
from sqlalchemy.orm import Session

from kick_clip_generator.core.errors import ConflictError
from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.owner import is_dead
from kick_clip_generator.library.records import JobInfo, JobStatus, JobTicket

# Longer than the slowest window with all its retries. A dead owner on this machine is seen at once; the lease is for
# the others.
LEASE_S = 300.0


class JobLost(ConflictError):
    """Another process took the job over, or it was closed or deleted: nothing more may be written under this ticket."""


class JobTaken(ConflictError):
    """Another process works on it now; it may be free later."""


def is_ours(ticket: JobTicket) -> Any:
    """The condition that a row is held under a ticket."""
    return and_(
        tables.Job.id == ticket.id,
        tables.Job.owner == ticket.owner,
        tables.Job.fence == ticket.fence,
        tables.Job.status == "running",
    )


def hold(session: Session, ticket: JobTicket, **changes: Any) -> tables.Job:
    """Change a job that is ours, and extend its lease.

    Raises:
        JobLost: when it is not ours any more.
    """
    values = {"lease_until": database_now() + ticket.lease_s, "updated_at": database_now(), **changes}
    row = session.scalar(
        update(tables.Job)
        .where(is_ours(ticket))
        .values(**values)
        .returning(tables.Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if row is None:
        raise JobLost(
            f"Job {ticket.id} is not held by this run any more, because another process took it over or it was closed; "
            "this run stops here and its last step is not kept."
        )
    return row


def take(session: Session, job: tables.Job, owner: str, lease_s: float) -> int | None:
    """Make a job ours if it is free: it does not run, its lease has run out, or its owner is dead.

    Returns:
        the new fence; None when somebody else is at it.
    """
    free = or_(
        tables.Job.status != "running",
        tables.Job.lease_until.is_(None),
        tables.Job.lease_until < database_now(),
    )
    if job.owner is not None and is_dead(job.owner):
        free = or_(free, and_(tables.Job.owner == job.owner, tables.Job.fence == job.fence))
    fence: int | None = session.scalar(
        update(tables.Job)
        .where(tables.Job.id == job.id, free)
        .values(
            status="running",
            owner=owner,
            fence=tables.Job.fence + 1,
            attempts=tables.Job.attempts + 1,
            lease_until=database_now() + lease_s,
            not_before=None,
            cancel_requested=False,
            error=None,
            error_detail=None,
            ended_at=None,
            started_at=database_now() if job.started_at is None else tables.Job.started_at,
            updated_at=database_now(),
        )
        .returning(tables.Job.fence)
        .execution_options(synchronize_session=False)
    )
    return fence


def info(row: tables.Job) -> JobInfo:
    status: JobStatus = row.status  # type: ignore[assignment]  # only the stores of jobs write it
    return JobInfo(
        id=row.id,
        kind=row.kind,
        status=status,
        step=row.step,
        progress=row.progress,
        attempts=row.attempts,
        owner=row.owner,
        error=row.error,
        payload=row.payload,
        idem_key=row.idem_key,
        created_at=row.created_at,
        updated_at=row.updated_at,
        max_attempts=row.max_attempts,
        priority=row.priority,
        cancel_requested=row.cancel_requested,
        not_before=row.not_before,
        project_id=row.project_id,
        parent_id=row.parent_id,
        detail=row.detail or {},
        result=row.result or {},
        error_detail=row.error_detail,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
