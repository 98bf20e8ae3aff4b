"""A worker: claims one job after another and does it, until it is told to end."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from kick_clip_generator.core.errors import (
    Cancelled,
    ClipGeneratorError,
    ConflictError,
    LibraryError,
    NotFoundError,
    SourceError,
)
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.doorbell import Doorbell
from kick_clip_generator.jobs.job import Handler, Interrupted, Job, OtherLane, Split
from kick_clip_generator.library.job_rows import JobLost, JobTaken
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.owner import process_owner
from kick_clip_generator.library.records import JobTicket

log = logging.getLogger(__name__)

# Held on by a thread of its own, so a job may be long; a worker that stands still loses it after this long.
LEASE_S = 60.0
# Who nobody rings for looks by himself.
LOOK_EVERY_S = 2.0
RECOVER_EVERY_S = 5.0
WATCH_EVERY_S = 0.5
# Long work looks at its token at every step; what has not ended by now hangs, and its processes are killed.
CANCEL_WITHIN_S = 3.5
# Who finds another run at the same stream looks again so much later.
TAKEN_S = 10.0
# A database that is being restarted is waited for.
PATIENCE_S = 120.0

# How many of a kind may run at the same time, everywhere: these use the whole library or one model folder.
CAPS: Mapping[str, int] = {"retrain": 1, "retention": 1, "backup": 1}


class Worker:
    """Does jobs in the thread that calls `run`.

    Args:
        handlers: what to do, by kind.
        kinds: those that this worker takes.
        finish_s: how long after `stop` a job may go on to its next checkpoint; then it is broken off.
    """

    def __init__(
        self,
        library: Library,
        settings: Settings,
        doorbell: Doorbell,
        handlers: Mapping[str, Handler],
        *,
        kinds: Collection[str],
        finish_s: float = 10.0,
    ) -> None:
        self._library = library
        self._settings = settings
        self._doorbell = doorbell
        self._handlers = handlers
        self._kinds = tuple(kinds)
        self._finish_s = finish_s
        self._owner = process_owner()
        self._memory: dict[str, Any] = {}
        # Plain values, for a signal handler that takes a lock may wait for the very thread it interrupts.
        self._stopped = False
        self._drain = False

    def stop(self) -> None:
        """End at the next checkpoint; the job goes back into the line. May be called from a signal handler."""
        self._stopped = True

    def drain(self) -> None:
        """End when nothing is left to do."""
        self._drain = True

    def run(self) -> None:
        """Work until `stop`, or until `drain` and nothing is left."""
        recovered_s = -RECOVER_EVERY_S
        while not self._stopped:
            try:
                if time.monotonic() - recovered_s >= RECOVER_EVERY_S:
                    recovered_s = time.monotonic()
                    self._library.recover()
                ticket = self._library.claim(self._owner, self._kinds, LEASE_S, caps=CAPS)
            except LibraryError as error:
                log.warning("No job could be claimed: %s", error)
                time.sleep(LOOK_EVERY_S)
                continue
            if ticket is not None:
                self._work(ticket)
            elif self._drain:
                return
            else:
                self._sleep()

    def _sleep(self) -> None:
        # In short waits, for a signal must end them.
        end_s = time.monotonic() + LOOK_EVERY_S
        while not self._stopped and time.monotonic() < end_s and not self._doorbell.wait(0.2):
            pass

    def _work(self, ticket: JobTicket) -> None:
        try:
            info = self._library.job(ticket.id)
        except LibraryError:
            return  # deleted this very moment, or the database is gone: the lease brings it back
        job = Job(info, ticket, self._library, self._settings, self._memory, lambda: self._stopped)
        log.info("Job %d (%s) begins, attempt %d", info.id, info.kind, info.attempts)
        watch = _Watch(job, self._finish_s)
        watch.start()
        try:
            settle = self._do(job, watch)
        finally:
            watch.end()
        self._insist(settle, ticket)

    def _do(self, job: Job, watch: _Watch) -> Callable[[], Any]:
        """Do a job; gives what to write about it."""
        library, ticket, kind = self._library, job.ticket, job.info.kind
        try:
            result = self._handlers[kind](job)
        except Split as split:
            parts = split
            return lambda: self._split(ticket, job, parts)
        except OtherLane as other:
            lane = other.kind
            return lambda: library.hand_over(ticket, lane)
        except Interrupted:
            return lambda: library.give_back(ticket)
        except JobTaken as error:
            message = str(error)
            return lambda: library.put_off(ticket, message, TAKEN_S)
        except JobLost as error:
            log.info("%s", error)
            return lambda: None
        except Cancelled as error:
            if watch.cancelled or not self._stopped:
                message = str(error)
                return lambda: library.finish_job(ticket, "cancelled", message)
            return lambda: library.give_back(ticket)
        except ClipGeneratorError as error:
            log.info("Job %d failed: %s", ticket.id, error)
            message, detail = str(error), _trace(error)
            if _may_pass(error):
                return lambda: library.reschedule(ticket, message, detail)
            return lambda: library.finish_job(ticket, "failed", message, error_detail=detail)
        except Exception as error:
            log.exception("Job %d failed unexpectedly", ticket.id)
            message = f"Something unexpected went wrong ({type(error).__name__}); see the error log."
            detail = _trace(error)
            return lambda: library.reschedule(ticket, message, detail)
        log.info("Job %d is done", ticket.id)
        return lambda: library.finish_job(ticket, "done", result=result or {})

    def _split(self, ticket: JobTicket, job: Job, split: Split) -> None:
        for payload, key in split.parts:
            self._library.enqueue(
                "measure_batch",
                payload,
                idem_key=key,
                project_id=job.info.project_id,
                parent_id=ticket.id,
                priority=job.info.priority,
            )
        self._library.wait_for_parts(ticket, done=split.done, total=split.total)
        self._doorbell.ring(len(split.parts))

    def _insist(self, settle: Callable[[], Any], ticket: JobTicket) -> None:
        """Write how a job ended; a database that is away for a while is waited for."""
        end_s, wait_s = time.monotonic() + PATIENCE_S, 0.5
        while True:
            try:
                settle()
                return
            except (ConflictError, NotFoundError) as error:
                log.info("How job %d ended is not kept: %s", ticket.id, error)
                return
            except LibraryError as error:
                if time.monotonic() > end_s:
                    log.warning("How job %d ended could not be written, so it will be done again: %s", ticket.id, error)
                    return
                time.sleep(wait_s)
                wait_s = min(2 * wait_s, 5.0)


class _Watch(threading.Thread):
    """Holds on to a job while it is done, and raises its token when it is cancelled, lost, or has to end."""

    def __init__(self, job: Job, finish_s: float) -> None:
        super().__init__(name=f"watch-{job.ticket.id}", daemon=True)
        self._job = job
        self._finish_s = finish_s
        self._ended = threading.Event()
        self.cancelled = False

    def end(self) -> None:
        self._ended.set()
        self.join(WATCH_EVERY_S)

    def run(self) -> None:
        job, held_s, stopped_s, cancelled_s = self._job, time.monotonic(), None, None
        while not self._ended.wait(WATCH_EVERY_S):
            now_s = time.monotonic()
            try:
                stop = job.library.should_stop(job.ticket)
                if not stop and now_s - held_s > LEASE_S / 3:
                    stop = job.library.heartbeat(job.ticket)
                    held_s = now_s
            except JobLost:
                stop = True
            except LibraryError as error:
                log.debug("Job %d could not be held: %s", job.ticket.id, error)
                stop = False
            if stop and cancelled_s is None:
                self.cancelled, cancelled_s = True, now_s
                job.cancel.cancel()
            if job.interrupted():
                stopped_s = stopped_s or now_s
                if now_s - stopped_s > self._finish_s:
                    job.cancel.cancel()
            if cancelled_s is not None and now_s - cancelled_s > CANCEL_WITHIN_S and not self._ended.is_set():
                self._break_off()

    def _break_off(self) -> None:
        log.warning("Job %d did not end by itself, so its processes are killed", self._job.ticket.id)
        try:
            self._job.library.finish_job(self._job.ticket, "cancelled", "Stopped; what was finished is kept.")
        except LibraryError as error:
            log.debug("That could not be written: %s", error)
        end_process_and_children()


def end_process_and_children() -> NoReturn:
    """End this process and what it started, at once; its supervisor starts another worker."""
    from kick_clip_generator.media.ffmpeg import kill_all

    kill_all()
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _may_pass(error: ClipGeneratorError) -> bool:
    if isinstance(error, SourceError):
        return error.retryable
    return isinstance(error, LibraryError) and not isinstance(error, ConflictError | NotFoundError)


def _trace(error: BaseException) -> str:
    from kick_clip_generator.core.logs import without_secrets

    return without_secrets("".join(traceback.format_exception(error)))[-20_000:]
