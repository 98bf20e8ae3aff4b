"""Runs that go on in the background of a server: started, looked at, cancelled."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from kick_clip_generator.core.errors import Cancelled, ClipGeneratorError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.generate import GenerateRequest, GenerateResult, generate_highlights

log = logging.getLogger(__name__)

Prepare = Callable[[ProgressCallback, CancelToken], GenerateRequest]
RunState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(slots=True)
class Run:
    """One run; only its own thread writes to it.

    Attributes:
        id: unguessable.
        prepare: makes the request in the run's own thread; the demo stream is made there.
        state: where it stands; "failed" has an `error` sentence, "done" a `result`.
        progress: the latest step.
    """

    id: str
    prepare: Prepare
    state: RunState = "queued"
    progress: Progress = field(default_factory=lambda: Progress("queued"))
    result: GenerateResult | None = None
    error: str = ""
    cancel: CancelToken = field(default_factory=CancelToken)

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class Runs:
    """Runs of this process, one after another: analysis already uses the machine's cores.

    Args:
        library: where the runs record what they find.
        settings: checked settings.
    """

    # Each holds its timeline: 11 MB for ten hours.
    KEPT = 5

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._settings = settings
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="run")
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}

    def start(self, prepare: Prepare) -> Run:
        """Queue a run; the oldest ended ones are forgotten."""
        run = Run(secrets.token_urlsafe(12), prepare)
        with self._lock:
            ended = [known.id for known in self._runs.values() if known.ended]
            for old in ended[: max(0, len(self._runs) + 1 - self.KEPT)]:
                del self._runs[old]
            self._runs[run.id] = run
        self._pool.submit(self._work, run)
        return run

    def find(self, run_id: str) -> Run | None:
        """The run of this id, or None when it is not known (any more)."""
        with self._lock:
            return self._runs.get(run_id)

    def close(self) -> None:
        """Cancel what runs and wait for it."""
        with self._lock:
            for run in self._runs.values():
                run.cancel.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, run: Run) -> None:
        if run.cancel.cancelled:
            run.state = "cancelled"
            return

        def show(progress: Progress) -> None:
            run.progress = progress

        run.state = "running"
        try:
            request = run.prepare(show, run.cancel)
            run.result = generate_highlights(
                request, library=self._library, settings=self._settings, progress=show, cancel=run.cancel
            )
            run.state = "done"
        except Cancelled as error:
            run.error, run.state = str(error), "cancelled"
        except ClipGeneratorError as error:
            run.error, run.state = str(error), "failed"
        except Exception as error:
            log.exception("A run failed unexpectedly")
            run.error, run.state = f"Something unexpected went wrong ({type(error).__name__}); see the log.", "failed"
