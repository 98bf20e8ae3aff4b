"""Jobs that survive: the row is the truth, a claim is one conditional UPDATE, a checkpoint one transaction.

A job belongs to its owner while the lease lasts. Every claim makes the fence grow, and every write checks owner and
fence, so that a process that was thought dead and comes back (a zombie) changes nothing any more.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.owner import is_dead, process_owner
from kick_clip_generator.library.records import JobInfo, JobStatus, WindowRow, WindowStatus
from kick_clip_generator.library.records import JobTicket as JobTicket
from kick_clip_generator.library.store import Store, to_json

# Longer than the slowest window with all its retries. A dead owner on this machine is seen at once; the lease is for
# the others.
LEASE_S = 300.0


class JobStore(Store):
    """Work, its owner and its checkpoints."""

    def open_job(
        self,
        kind: str,
        idem_key: str,
        payload: dict[str, Any],
        owner: str | None = None,
        lease_s: float = LEASE_S,
        *,
        reopen: bool = False,
    ) -> JobTicket:
        """Create the job of a key, or take it over.

        It is free for us when it waits, failed or was cancelled, when its lease has run out, or when its owner was a
        process of this machine that is dead.

        Args:
            kind: e.g. "analyze".
            idem_key: names the work: the same source and parameters give the same key.
            payload: the parameters, kept with a new job.
            owner: as `owner.process_owner()`, which is the default.
            lease_s: how long the job stays ours after each write; longer than the slowest window.
            reopen: take a job that is done, too, because there may be more to do: windows of another span.

        Returns:
            a ticket with status "running", or "done" when the work was finished before (never with `reopen`).

        Raises:
            LibraryError: when somebody else is at it.
        """
        owner = owner or process_owner()
        with self.writing() as session:
            job = session.scalar(select(tables.Job).where(tables.Job.idem_key == idem_key))
            if job is None:
                job = tables.Job(kind=kind, status="queued", idem_key=idem_key, payload=to_json(payload))
                session.add(job)
                session.flush()
                return _claimed(session, job, owner, lease_s, resumed=False)
            if job.status == "done" and not reopen:
                return JobTicket(job.id, job.fence, True, "done", owner, lease_s)
            return _claimed(session, job, owner, lease_s, resumed=True)

    def record_window(
        self,
        ticket: JobTicket,
        n: int,
        status: WindowStatus,
        first_tick: int,
        result: bytes | None,
        detail: dict[str, Any],
    ) -> None:
        """Keep what came of a window, all or nothing, and hold the job for another lease.

        Raises:
            LibraryError: when the job is not ours any more.
        """
        with self.writing() as session:
            _hold(session, ticket)
            facts = {"status": status, "first_tick": first_tick, "result": result, "detail": to_json(detail)}
            known = session.scalar(
                update(tables.Window)
                .where(tables.Window.job_id == ticket.id, tables.Window.n == n)
                .values(**facts, recorded_at=database_now())
                .returning(tables.Window.n)
            )
            if known is None:
                session.add(tables.Window(job_id=ticket.id, n=n, **facts))

    def windows(self, job_id: int) -> dict[int, WindowRow]:
        """The recorded windows of a job, by number, in order."""
        with self.reading() as session:
            rows = session.scalars(
                select(tables.Window).where(tables.Window.job_id == job_id).order_by(tables.Window.n)
            )
            return {
                row.n: WindowRow(
                    row.n,
                    row.status,  # type: ignore[arg-type]  # only `record_window` writes it
                    row.first_tick,
                    row.result,
                    row.detail,
                    row.recorded_at,
                )
                for row in rows
            }

    def release_results(self, ticket: JobTicket) -> None:
        """Forget the results of a job's windows, which are kept elsewhere now; their status and detail stay.

        Raises:
            LibraryError: when the job is not ours any more.
        """
        with self.writing() as session:
            _hold(session, ticket)
            session.execute(update(tables.Window).where(tables.Window.job_id == ticket.id).values(result=None))

    def set_step(self, ticket: JobTicket, step: str, progress: float) -> None:
        """Say where the job stands (`progress` 0–1) and hold it for another lease.

        Raises:
            LibraryError: when the job is not ours any more.
        """
        with self.writing() as session:
            _hold(session, ticket, step=step, progress=progress)

    def finish_job(
        self, ticket: JobTicket, status: Literal["done", "failed", "cancelled"], error: str | None = None
    ) -> None:
        """Close a job; "failed" and "cancelled" ones are resumed when they are opened again.

        Raises:
            LibraryError: when the job is not ours any more.
        """
        changes: dict[str, Any] = {"status": status, "error": error, "owner": None, "lease_until": None}
        if status == "done":
            changes["progress"] = 1.0
        with self.writing() as session:
            _hold(session, ticket, **changes)

    def release(self, ticket: JobTicket) -> None:
        """Give a running job back, so that anybody can go on with it at once; nothing happens when it is not ours."""
        with self.writing() as session:
            session.execute(
                update(tables.Job)
                .where(_is_ours(ticket))
                .values(status="queued", owner=None, lease_until=None, updated_at=database_now())
            )

    def jobs(self, limit: int = 50) -> list[JobInfo]:
        """The newest jobs first."""
        with self.reading() as session:
            rows = session.scalars(select(tables.Job).order_by(tables.Job.id.desc()).limit(limit))
            return [_info(row) for row in rows]


def _claimed(session: Session, job: tables.Job, owner: str, lease_s: float, *, resumed: bool) -> JobTicket:
    free = or_(
        tables.Job.status != "running",
        tables.Job.lease_until.is_(None),
        tables.Job.lease_until < database_now(),
    )
    if job.owner is not None and is_dead(job.owner):
        free = or_(free, and_(tables.Job.owner == job.owner, tables.Job.fence == job.fence))
    fence = session.scalar(
        update(tables.Job)
        .where(tables.Job.id == job.id, free)
        .values(
            status="running",
            owner=owner,
            fence=tables.Job.fence + 1,
            attempts=tables.Job.attempts + 1,
            lease_until=database_now() + lease_s,
            cancel_requested=False,
            error=None,
            updated_at=database_now(),
        )
        .returning(tables.Job.fence)
        .execution_options(synchronize_session=False)
    )
    if fence is None:
        raise LibraryError(_taken(session, job, owner))
    return JobTicket(job.id, fence, resumed, "running", owner, lease_s)


def _taken(session: Session, job: tables.Job, owner: str) -> str:
    if job.owner == owner:
        return "This run is already going on in this program; wait for it to end, or stop it first."
    left_s = session.scalar(select(tables.Job.lease_until - database_now()).where(tables.Job.id == job.id)) or 0.0
    host, pid, _ = (job.owner or "").rsplit(":", 2)
    return (
        f"The same run is already going on in process {pid} on {host}; wait for it or stop it "
        f"(if it is gone, try again in {left_s:.0f} s)."
    )


def _is_ours(ticket: JobTicket) -> Any:
    return and_(
        tables.Job.id == ticket.id,
        tables.Job.owner == ticket.owner,
        tables.Job.fence == ticket.fence,
        tables.Job.status == "running",
    )


def _hold(session: Session, ticket: JobTicket, **changes: Any) -> None:
    values = {"lease_until": database_now() + ticket.lease_s, "updated_at": database_now(), **changes}
    if session.scalar(update(tables.Job).where(_is_ours(ticket)).values(**values).returning(tables.Job.id)) is None:
        raise LibraryError(
            f"Job {ticket.id} is not held by this run any more, because another process took it over or it was closed; "
            "this run stops here and its last step is not kept."
        )


def _info(row: tables.Job) -> JobInfo:
    status: JobStatus = row.status  # type: ignore[assignment]  # only this module writes it
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
    )
