"""A job that is done by the program that asked for it, as command lines do: under the same row, with the same code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.job import Job
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.kinds import checked_payload, handler


def do_here(
    library: Library,
    settings: Settings,
    kind: str,
    payload: Mapping[str, Any],
    *,
    project_id: int,
    idem_key: str,
    progress: ProgressCallback,
    cancel: CancelToken,
) -> Mapping[str, Any]:
    """Do a job now, and go on where an earlier one of its key stopped.

    Raises:
        JobTaken: when a worker, or another program, is at it.
        ClipGeneratorError: as the kind.
    """
    body = checked_payload(kind, payload).model_dump(mode="json")
    # Later, so that no worker takes it before we do.
    library.enqueue(kind, body, idem_key=idem_key, project_id=project_id, delay_s=60)
    ticket = library.open_job(kind, idem_key, body, reopen=True)
    job = _Shown(library.job(ticket.id), ticket, library, settings, {}, lambda: False, cancel)
    job.show = progress
    try:
        result = handler(kind)(job) or {}
    except (KeyboardInterrupt, Cancelled):
        library.finish_job(ticket, "cancelled", "Stopped; what was finished is kept.")
        raise
    except BaseException as error:
        library.finish_job(ticket, "failed", str(error) or type(error).__name__)
        raise
    library.finish_job(ticket, "done", result=result)
    return result


class _Shown(Job):
    """A job whose progress is also shown here."""

    show: ProgressCallback

    def progress(self, progress: Progress) -> None:
        self.show(progress)
        super().progress(progress)
