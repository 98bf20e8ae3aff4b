"""What a worker hands to the code that does a job."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.progress import CancelToken, Progress
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.job_rows import JobLost
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import JobInfo, JobTicket

log = logging.getLogger(__name__)

# Each is a transaction that waits for the disk.
TELL_EVERY_S = 0.5


class Interrupted(Exception):
    """The worker is told to end: what was finished is kept, and another one goes on."""


class Split(Exception):
    """The job was split into parts: it waits until they have ended.

    Attributes:
        parts: payload and idem_key of each.
        done, total: windows that are finished, and all.
    """

    def __init__(self, parts: list[tuple[dict[str, Any], str]], *, done: int, total: int) -> None:
        super().__init__(f"{len(parts)} parts")
        self.parts = parts
        self.done = done
        self.total = total


class OtherLane(Exception):
    """The job turned out to be one of another kind, for the workers of that kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass
class Job:
    """A job in the hands of its worker.

    Attributes:
        memory: what this worker remembers from job to job, by name; nothing that matters when it is gone.
        interrupted: whether the worker is to end; `checkpoint` tells.
        cancel: up when somebody cancels the job, and when it is lost or takes too long to come to a checkpoint.
    """

    info: JobInfo
    ticket: JobTicket
    library: Library
    settings: Settings
    memory: dict[str, Any]
    interrupted: Callable[[], bool]
    cancel: CancelToken = field(default_factory=CancelToken)
    _told_s: float = -math.inf

    def progress(self, progress: Progress) -> None:
        """A `ProgressCallback` that writes into the job's row, now and then."""
        if time.monotonic() - self._told_s < TELL_EVERY_S:
            return
        self._told_s = time.monotonic()
        share = progress.done / progress.total if progress.total else 0.0
        try:
            self.library.set_step(self.ticket, progress.step, min(max(share, 0.0), 1.0), _detail(progress))
        except JobLost:
            raise
        except LibraryError as error:
            log.info("The progress of job %d could not be told: %s", self.ticket.id, error)

    def checkpoint(self) -> None:
        """To be called where everything so far is kept.

        Raises:
            Interrupted: when the worker is told to end.
            Cancelled: when the job is cancelled.
        """
        if self.interrupted():
            raise Interrupted
        self.cancel.check()


Handler = Callable[[Job], Mapping[str, Any] | None]


def _detail(progress: Progress) -> dict[str, Any]:
    facts: dict[str, Any] = {"done": progress.done, "total": progress.total}
    facts |= {
        name: value
        for name, value in (("stream_s", progress.stream_s), ("speed", progress.speed), ("eta_s", progress.eta_s))
        if math.isfinite(value)
    }
    if progress.message:
        facts["message"] = progress.message
    return facts
