"""Jobs that survive: the row is the truth, a claim is one conditional UPDATE, a checkpoint one transaction.

A job belongs to its owner while the lease lasts. Every claim makes the fence grow, and every write checks owner and
fence, so that a process that was thought dead and comes back (a zombie) changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.job_queue import JobQueue, end_job, tell_parent
from kick_clip_generator.library.job_rows import LEASE_S, JobTaken, hold, is_ours, take
from kick_clip_generator.library.owner import process_owner
from kick_clip_generator.library.records import MEASURE, JobTicket, WindowRow, WindowStatus
from kick_clip_generator.library.store import to_json


class JobStore(JobQueue):
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
            kind: `records.MEASURE`, or one of `records.KINDS`.
            idem_key: names the work: the same source and parameters give the same key.
            payload: the parameters, kept with a new job.
            owner: as `owner.process_owner()`, which is the default.
            lease_s: how long the job stays ours after each write; longer than the slowest window.
            reopen: take a job that is done, too, because there may be more to do: windows of another span.

        Returns:
            a ticket with status "running", or "done" when the work was finished before (never with `reopen`).

        Raises:
            JobTaken: when somebody else is at it.
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
            JobLost: when the job is not ours any more.
        """
        with self.writing() as session:
            # A job that gets on does not die of what killed its workers before.
            row = hold(session, ticket, attempts=1)
            facts = {"status": status, "first_tick": first_tick, "result": result, "detail": to_json(detail)}
            known = session.scalar(
                update(tables.Window)
                .where(tables.Window.job_id == ticket.id, tables.Window.n == n)
                .values(**facts, recorded_at=database_now())
                .returning(tables.Window.n)
            )
            if known is None:
                session.add(tables.Window(job_id=ticket.id, n=n, **facts))
            if row.parent_id is not None:
                session.flush()
                tell_parent(session, row.parent_id)

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
            JobLost: when the job is not ours any more.
        """
        with self.writing() as session:
            hold(session, ticket)
            session.execute(update(tables.Window).where(tables.Window.job_id == ticket.id).values(result=None))

    def forget_measurements(self, url: str) -> list[str]:
        """Forget what was measured of a source, with its windows.

        Returns:
            the keys under which the features of it are cached.
        """
        with self.writing() as session:
            jobs = session.scalars(select(tables.Job).where(tables.Job.kind == MEASURE)).all()
            doomed = [job for job in jobs if job.payload.get("url") == url]
            for job in doomed:
                session.delete(job)
            return [job.idem_key for job in doomed]

    def set_step(self, ticket: JobTicket, step: str, progress: float, detail: Mapping[str, Any] | None = None) -> None:
        """Say where the job stands (`progress` 0–1) and hold it for another lease.

        Raises:
            JobLost: when the job is not ours any more.
        """
        with self.writing() as session:
            hold(session, ticket, step=step, progress=progress, detail=to_json(detail) if detail else None)

    def finish_job(
        self,
        ticket: JobTicket,
        status: Literal["done", "failed", "cancelled"],
        error: str | None = None,
        *,
        error_detail: str | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Close a job; "failed" and "cancelled" ones are resumed when they are opened again.

        Raises:
            JobLost: when the job is not ours any more.
        """
        changes: dict[str, Any] = {"error": error, "error_detail": error_detail}
        if status == "done":
            changes |= {"progress": 1.0, "result": to_json(result) if result is not None else None}
        with self.writing() as session:
            end_job(session, hold(session, ticket, **changes), status)

    def release(self, ticket: JobTicket) -> None:
        """Give a running job back, so that anybody can go on with it at once; nothing happens when it is not ours."""
        with self.writing() as session:
            session.execute(
                update(tables.Job)
                .where(is_ours(ticket))
                .values(status="queued", owner=None, lease_until=None, updated_at=database_now())
            )


def _claimed(session: Session, job: tables.Job, owner: str, lease_s: float, *, resumed: bool) -> JobTicket:
    fence = take(session, job, owner, lease_s)
    if fence is None:
        raise JobTaken(_taken(session, job, owner))
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
