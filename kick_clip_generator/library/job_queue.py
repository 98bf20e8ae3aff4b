"""The line of jobs: put in, claimed by workers, given back, cancelled, retried, listed.

Every step is one transaction and every time is the database's, so that workers may die at any point and run on several
machines. A message in a queue only wakes workers up; what they do stands here.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from kick_clip_generator.core.errors import ConflictError, InputError, NotFoundError
from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.job_rows import LEASE_S, hold, info, is_ours, take
from kick_clip_generator.library.owner import is_dead
from kick_clip_generator.library.pages import check_limit
from kick_clip_generator.library.records import KINDS, MEASURE, JobInfo, JobQuery, JobTicket, Page
from kick_clip_generator.library.store import Store, to_json

ACTIVE = ("queued", "running", "waiting")

# A failure that may pass is tried again after 5, 10, 20 … seconds.
BACKOFF_S = 5.0
LONGEST_BACKOFF_S = 600.0


class JobQueue(Store):
    """Jobs for the workers."""

    def enqueue(
        self,
        kind: str,
        payload: Mapping[str, Any],
        *,
        idem_key: str | None = None,
        project_id: int | None = None,
        parent_id: int | None = None,
        priority: int = 0,
        max_attempts: int = 3,
        delay_s: float = 0.0,
    ) -> JobInfo:
        """Put a job in the line.

        Args:
            kind: one of `KINDS`.
            payload: what to do, as JSON.
            idem_key: while a job of this key is not ended, it is returned as it is; an ended one is opened again, with
                the new payload and the windows that it has recorded.
            parent_id: the job that this one is a part of.
            priority: higher ones first.
            max_attempts: after so many without a result it fails.
            delay_s: not before so many seconds are over.

        Raises:
            InputError: for an unknown kind.
        """
        if kind not in KINDS:
            raise InputError(f"There are no jobs of the kind {kind!r}; there are {', '.join(KINDS)}.")
        key = idem_key or f"{kind}:{uuid.uuid4()}"
        facts: dict[str, Any] = {
            "payload": to_json(payload),
            "project_id": project_id,
            "parent_id": parent_id,
            "priority": priority,
            "max_attempts": max_attempts,
        }
        with self.writing() as session:
            row = session.scalar(select(tables.Job).where(tables.Job.idem_key == key))
            if row is None:
                if project_id is not None and session.get(tables.Project, project_id) is None:
                    raise NotFoundError(f"There is no project {project_id}; it may have been deleted.")
                row = tables.Job(kind=kind, status="queued", idem_key=key, **facts)
                session.add(row)
            elif row.status in ACTIVE:
                return info(row)
            else:
                for name, value in {**facts, **_AFRESH, "kind": kind, "progress": 0.0, "step": ""}.items():
                    setattr(row, name, value)
            row.not_before = session.scalar(select(database_now() + delay_s)) if delay_s else None
            row.updated_at = _now(session)
            session.flush()
            return info(row)

    def job(self, job_id: int) -> JobInfo:
        """Raises:
        NotFoundError: when there is none of that number.
        """
        with self.reading() as session:
            return info(_found(session, job_id))

    def jobs(self, query: JobQuery | None = None) -> Page[JobInfo]:
        """A page of jobs, the newest first.

        Raises:
            InputError: when `after` is no page's, or the limit is out of its range.
        """
        query = query or JobQuery()
        check_limit(query.limit)
        row = tables.Job
        statement = select(row).order_by(row.id.desc()).limit(query.limit + 1)
        statement = statement.where(
            row.parent_id.is_(None) if query.parent_id is None else row.parent_id == query.parent_id,
            row.kind != MEASURE if query.kind is None else row.kind == query.kind,
        )
        if query.status is not None:
            statement = statement.where(row.status == query.status)
        if query.project_id is not None:
            statement = statement.where(row.project_id == query.project_id)
        if query.after is not None:
            if not query.after.isascii() or not query.after.isdigit() or len(query.after) > 18:
                raise InputError("This page of jobs is not known; begin with the first one.")
            statement = statement.where(row.id < int(query.after))
        with self.reading() as session:
            rows = session.scalars(statement).all()
        more = str(rows[query.limit - 1].id) if len(rows) > query.limit else None
        return Page(tuple(info(one) for one in rows[: query.limit]), more)

    def changes_since(self, updated_at: float, *, limit: int = 500) -> list[JobInfo]:
        """Jobs that changed after a moment of the database's clock, the earliest change first.

        Transactions that end at the same time need not show in the order of their times: ask again from a second or
        two before the newest change that was seen, and leave out what is known (by `id` and `updated_at`).
        """
        row = tables.Job
        with self.reading() as session:
            rows = session.scalars(
                select(row)
                .where(row.updated_at > updated_at, row.parent_id.is_(None), row.kind != MEASURE)
                .order_by(row.updated_at, row.id)
                .limit(limit)
            )
            return [info(one) for one in rows]

    def request_cancel(self, job_id: int) -> JobInfo:
        """Cancel a job and what it was split into: at once when it waits, else when its worker reads the flag.

        Nothing happens to a job that has ended.

        Raises:
            NotFoundError: when there is none of that number.
        """
        with self.writing() as session:
            row = _found(session, job_id)
            _cancel(session, or_(tables.Job.id == job_id, tables.Job.parent_id == job_id))
            session.refresh(row)
            if row.parent_id is not None:
                wake_parent(session, row.parent_id)
            return info(row)

    def retry(self, job_id: int) -> JobInfo:
        """Put a job that failed or was cancelled back in the line; its finished windows stay.

        Raises:
            NotFoundError: when there is none of that number.
            ConflictError: when it has not ended, or is done.
        """
        with self.writing() as session:
            row = _found(session, job_id)
            if row.status not in ("failed", "cancelled") or row.kind == MEASURE:
                raise ConflictError(f"Job {job_id} is {row.status}; only one that failed or was cancelled is retried.")
            for name, value in _AFRESH.items():
                setattr(row, name, value)
            row.not_before = None
            row.updated_at = _now(session)
            session.flush()
            return info(row)

    def delete_job(self, job_id: int) -> None:
        """Forget a job, its windows, and the jobs that it was split into; who works on it is told by the next write.

        Raises:
            NotFoundError: when there is none of that number.
        """
        with self.writing() as session:
            session.delete(_found(session, job_id))

    def claim(
        self,
        owner: str,
        kinds: Collection[str],
        lease_s: float = LEASE_S,
        *,
        caps: Mapping[str, int] | None = None,
    ) -> JobTicket | None:
        """Take the first job that is due: the highest priority, then the oldest; parts of a job at their job's place.

        Args:
            kinds: only these.
            lease_s: how long the job stays ours after each write.
            caps: how many of a kind may run at the same time, everywhere.
        """
        row = tables.Job
        with self.writing() as session:
            wanted = set(kinds)
            if caps:
                counted = select(row.kind, func.count()).where(row.status == "running", row.kind.in_(list(caps)))
                rows = session.execute(counted.group_by(row.kind))
                wanted -= {kind for kind, running in rows if running >= caps[kind]}
            statement = (
                select(row)
                .where(row.status == "queued", row.kind.in_(wanted), _is_due())
                .order_by(row.priority.desc(), func.coalesce(row.parent_id, row.id), row.id)
                .limit(1)
            )
            job = session.scalar(statement)
            if job is None:
                return None
            resumed = job.attempts > 0
            fence = take(session, job, owner, lease_s)
            return None if fence is None else JobTicket(job.id, fence, resumed, "running", owner, lease_s)

    def due(self, kinds: Collection[str]) -> int:
        """How many jobs could be claimed now."""
        row = tables.Job
        with self.reading() as session:
            counted = select(func.count()).where(row.status == "queued", row.kind.in_(list(kinds)), _is_due())
            return session.scalar(counted) or 0

    def has_job(self, idem_key: str) -> bool:
        """Whether there is, or was, a job of this key."""
        with self.reading() as session:
            return session.scalar(select(tables.Job.id).where(tables.Job.idem_key == idem_key)) is not None

    def hand_over(self, ticket: JobTicket, kind: str) -> None:
        """Give a job back as one of another kind, for the workers of that kind.

        Raises:
            JobLost: when it is not ours any more.
        """
        with self.writing() as session:
            _give_back(hold(session, ticket, kind=kind, attempts=0), None)

    def heartbeat(self, ticket: JobTicket) -> bool:
        """Hold a job for another lease; whether it is to be cancelled.

        Raises:
            JobLost: when it is not ours any more.
        """
        with self.writing() as session:
            return hold(session, ticket).cancel_requested

    def should_stop(self, ticket: JobTicket) -> bool:
        """Whether a job is to be cancelled, or is not ours any more; only reads."""
        with self.reading() as session:
            flag = session.scalar(select(tables.Job.cancel_requested).where(is_ours(ticket)))
            return flag is None or flag

    def reschedule(self, ticket: JobTicket, error: str, error_detail: str | None = None) -> JobInfo:
        """Give back a job that failed for a reason that may pass: it waits a while, or fails after its last attempt.

        Raises:
            JobLost: when it is not ours any more.
        """
        with self.writing() as session:
            row = hold(session, ticket, error=error, error_detail=error_detail)
            if row.attempts >= row.max_attempts:
                end_job(session, row, "failed")
            else:
                wait_s = min(LONGEST_BACKOFF_S, BACKOFF_S * 2 ** (row.attempts - 1))
                _give_back(row, session.scalar(select(database_now() + wait_s)))
            session.flush()
            return info(row)

    def put_off(self, ticket: JobTicket, error: str, wait_s: float) -> None:
        """Give a job back that has to wait for another one; that is no attempt.

        Raises:
            JobLost: when it is not ours any more.
        """
        with self.writing() as session:
            row = hold(session, ticket, error=error, attempts=tables.Job.attempts - 1)
            _give_back(row, session.scalar(select(database_now() + wait_s)))

    def give_back(self, ticket: JobTicket) -> None:
        """Give a running job back because its worker ends; that is no attempt. Nothing happens when it is not ours."""
        with self.writing() as session:
            session.execute(
                update(tables.Job)
                .where(is_ours(ticket))
                .values(
                    status="queued",
                    owner=None,
                    lease_until=None,
                    attempts=tables.Job.attempts - 1,
                    updated_at=database_now(),
                )
            )

    def wait_for_parts(self, ticket: JobTicket, *, done: int, total: int) -> None:
        """Let go of a job until the jobs that it was split into have ended; then it is claimed once more.

        Args:
            done, total: windows that are finished, and all of them, for the progress that the parts tell.

        Raises:
            JobLost: when it is not ours any more.
        """
        with self.writing() as session:
            row = hold(session, ticket, step="analyze", attempts=0, owner=None, lease_until=None)
            row.status = "waiting"
            row.progress = done / total if total else 0.0
            row.detail = {"done": done, "total": total, "began_with": done, "began_at": _now(session)}
            session.flush()
            wake_parent(session, row.id)

    def recover(self, kinds: Collection[str] = KINDS) -> int:
        """Put back what dead workers held, and wake those whose parts have ended; how many there were.

        A job that ended its worker too often fails: nobody else shall die of it.
        """
        row = tables.Job
        parts = aliased(tables.Job)
        expired = or_(row.lease_until.is_(None), row.lease_until < database_now())
        waits = and_(
            row.status == "waiting",
            ~select(parts.id).where(parts.parent_id == row.id, parts.status.in_(ACTIVE)).correlate(row).exists(),
        )
        with self.reading() as session:
            held = session.execute(
                select(row.id, row.owner, row.fence, expired).where(row.status == "running", row.kind.in_(list(kinds)))
            ).all()
            waiting = session.scalars(select(row.id).where(waits)).all()
        lost = [(job_id, fence) for job_id, owner, fence, late in held if late or (owner and is_dead(owner))]
        if not lost and not waiting:
            return 0
        with self.writing() as session:
            for job_id, fence in lost:
                _recover(session, job_id, fence)
            for job_id in waiting:
                wake_parent(session, job_id)
        return len(lost) + len(waiting)

    def remove_parts(self, parent_id: int) -> None:
        """Forget the ended parts of a job, whose windows are kept elsewhere now."""
        with self.writing() as session:
            rows = session.scalars(
                select(tables.Job).where(tables.Job.parent_id == parent_id, tables.Job.status.not_in(ACTIVE))
            )
            for row in rows:
                session.delete(row)


# What an ended job loses when it is opened again.
_AFRESH: Mapping[str, Any] = {
    "status": "queued",
    "attempts": 0,
    "owner": None,
    "lease_until": None,
    "cancel_requested": False,
    "error": None,
    "error_detail": None,
    "result": None,
    "detail": None,
    "started_at": None,
    "ended_at": None,
}


def end_job(session: Session, row: tables.Job, status: str) -> None:
    """Close a job, and wake the one that it is a part of when it was the last."""
    row.status = status
    row.owner = None
    row.lease_until = None
    row.ended_at = row.updated_at = _now(session)
    session.flush()
    if status == "cancelled":
        _cancel(session, tables.Job.parent_id == row.id)
    if row.parent_id is not None:
        wake_parent(session, row.parent_id)


def wake_parent(session: Session, parent_id: int) -> None:
    """Put a waiting job back in the line when none of its parts is left to do."""
    parent = session.scalar(select(tables.Job).where(tables.Job.id == parent_id, tables.Job.status == "waiting"))
    left = select(tables.Job.id).where(tables.Job.parent_id == parent_id, tables.Job.status.in_(ACTIVE)).limit(1)
    if parent is not None and session.scalar(left) is None:
        parent.status = "queued"
        parent.updated_at = _now(session)
        session.flush()


def tell_parent(session: Session, parent_id: int) -> None:
    """Add up what the parts of a job have recorded, for its progress."""
    parent = session.scalar(select(tables.Job).where(tables.Job.id == parent_id, tables.Job.status == "waiting"))
    if parent is None or not parent.detail:
        return
    detail = dict(parent.detail)
    parts = select(tables.Job.id).where(tables.Job.parent_id == parent_id)
    recorded = session.scalar(select(func.count()).where(tables.Window.job_id.in_(parts))) or 0
    now = _now(session)
    here, total = min(recorded, detail["total"] - detail["began_with"]), detail["total"]
    detail["done"] = detail["began_with"] + here
    passed_s = max(now - detail["began_at"], 1e-3)
    if here:
        detail["eta_s"] = (total - detail["done"]) * passed_s / here
    parent.detail = detail
    parent.progress = detail["done"] / total if total else 0.0
    parent.updated_at = now


def _is_due() -> Any:
    return or_(tables.Job.not_before.is_(None), tables.Job.not_before <= database_now())


def _cancel(session: Session, which: Any) -> None:
    idle = and_(which, tables.Job.status.in_(("queued", "waiting")))
    now = _now(session)
    session.execute(
        update(tables.Job)
        .where(idle)
        .values(status="cancelled", error=None, not_before=None, ended_at=now, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(tables.Job)
        .where(which, tables.Job.status == "running")
        .values(cancel_requested=True, updated_at=now)
        .execution_options(synchronize_session=False)
    )


def _recover(session: Session, job_id: int, fence: int) -> None:
    ours = (tables.Job.id == job_id, tables.Job.fence == fence, tables.Job.status == "running")
    row = session.scalar(select(tables.Job).where(*ours))
    if row is None:
        return
    if row.cancel_requested:
        end_job(session, row, "cancelled")
    elif row.attempts >= row.max_attempts:
        row.error = (
            f"Its worker died {row.attempts} times in a row while at it, so it is not tried again by itself; the log "
            "may say why, and more memory may help."
        )
        end_job(session, row, "failed")
    else:
        # The first time at once: whatever killed the worker need not have been the job.
        wait_s = 0.0 if row.attempts < 2 else BACKOFF_S
        _give_back(row, session.scalar(select(database_now() + wait_s)) if wait_s else None)
    session.flush()


def _give_back(row: tables.Job, not_before: float | None) -> None:
    row.status = "queued"
    row.owner = None
    row.lease_until = None
    row.not_before = not_before


def _found(session: Session, job_id: int) -> tables.Job:
    row = session.get(tables.Job, job_id)
    if row is None:
        raise NotFoundError(f"There is no job {job_id}; it may have been deleted.")
    return row


def _now(session: Session) -> float:
    return float(session.scalar(select(database_now())) or 0.0)
