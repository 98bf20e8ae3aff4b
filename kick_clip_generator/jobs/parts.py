"""A long recording is measured in parts, each a job of its own for any worker: batches of twenty windows.

Batches lie at absolute boundaries and each starts its decoders anew, so the rows are those of one worker, bit for bit.
Parts keep their windows in their own rows; the job that was split takes them over when all have ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Source, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import FloatArray, Timeline, first_tick_at, tick_containing
from kick_clip_generator.features.registry import EXTENDED_NAMES, NAMES
from kick_clip_generator.jobs.crew import Crew
from kick_clip_generator.jobs.inline import identity, kept_rows, record_result, unpack_rows
from kick_clip_generator.jobs.job import Job, OtherLane, Split
from kick_clip_generator.library.records import JobInfo, JobQuery, WindowRow
from kick_clip_generator.pipeline.analyze import windows_of
from kick_clip_generator.pipeline.kept_source import resolve_or_kept
from kick_clip_generator.pipeline.passes import Elsewhere, Pass, Passes
from kick_clip_generator.pipeline.ticks import batches
from kick_clip_generator.pipeline.windows import WindowResult

log = logging.getLogger(__name__)

# Addresses of platforms expire after some hours, and looking one up takes seconds: more than a batch does.
REMEMBERED_S = 600.0
MOST_REMEMBERED = 8


class Workers(Crew):
    """All workers help: what is longer than a batch is split.

    Args:
        on_source: told what the link led to.
    """

    def __init__(self, job: Job, on_source: Callable[[Source], None] = lambda source: None) -> None:
        self._job = job
        self._on_source = on_source

    def resolve(self, url: str, settings: Settings, cancel: CancelToken) -> Source:
        source = remembered_source(self._job, url, settings, cancel)
        if source.live and self._job.info.kind != "live":
            raise OtherLane("live")
        self._on_source(source)
        return source

    def elsewhere(self, source: Source, settings: Settings, identity: Callable[[Pass], str]) -> Elsewhere | None:
        if source.live:
            return None

        def results(what: Pass, todo: Sequence[Window], total: int) -> Generator[WindowResult] | None:
            split = batches(todo)
            if len(split) < 2:
                return None
            key = identity(what)
            parts = {part.idem_key: part for part in _parts(self._job)}
            names = [f"part:{self._job.ticket.id}:{key}:{batch[0].n}" for batch in split]
            known = [parts.get(name) for name in names]
            if all(part is not None and part.status == "done" for part in known):
                return self._taken_over([part for part in known if part is not None], split, what)
            failed = next((part for part in known if part is not None and part.status == "failed"), None)
            # Woken up by the last of them: its failure is this job's. After a retry they are tried again.
            if failed is not None and "began_at" in self._job.info.detail:
                raise SourceError(failed.error or "A part of the stream could not be measured.", outcome="unreadable")
            missing = [
                (self._payload(what, key, batch), name)
                for batch, name, part in zip(split, names, known, strict=True)
                if part is None or part.status != "done"
            ]
            raise Split(missing, done=total - sum(len(payload["windows"]) for payload, _ in missing), total=total)

        return results

    def checkpoint(self) -> None:
        self._job.checkpoint()

    def _payload(self, what: Pass, key: str, batch: Sequence[Window]) -> dict[str, Any]:
        return {
            "url": self._job.info.payload.get("url", ""),
            "settings": self._job.info.payload.get("settings", {}),
            "identity": key,
            "pictures": what.pictures,
            "extended": what.extended,
            "windows": [window.n for window in batch],
        }

    def _taken_over(
        self, parts: Sequence[JobInfo], split: Sequence[Sequence[Window]], what: Pass
    ) -> Generator[WindowResult]:
        columns = len(EXTENDED_NAMES if what.extended else NAMES)
        for part, batch in zip(parts, split, strict=True):
            rows = self._job.library.windows(part.id)
            for window in batch:
                yield _result(window, rows[window.n], columns)


def measure_part(
    job: Job, source: Source, settings: Settings, *, what: Pass, key: str, numbers: Sequence[int]
) -> dict[str, int]:
    """Measure the windows of a part that it has not recorded yet.

    Args:
        key: what its job expects of the source.
        numbers: of the windows.

    Returns:
        how many ended in each status.

    Raises:
        SourceError: when the source is another one by now, or is lost.
        Interrupted, Cancelled, JobLost: between windows.
    """
    if identity(source, settings, what) != key:
        raise SourceError(f"{source.title} changed while it was analysed; start the analysis again.", outcome="changed")
    wanted = set(numbers)
    whole = Span(0.0, source.duration_s)
    windows = [window for window in windows_of(source, whole, settings) if window.n in wanted]
    columns = EXTENDED_NAMES if what.extended else NAMES
    first, stop = first_tick_at(windows[0].own_start_s), tick_containing(windows[-1].end_s)
    recorded = job.library.windows(job.ticket.id)

    def keep(_: Pass, result: WindowResult) -> None:
        record_result(job.library, job.ticket, result)
        job.checkpoint()

    def finished(_: Pass) -> dict[int, tuple[int, FloatArray]]:
        return kept_rows(recorded, len(columns))

    with Passes(source, settings, finished, keep, job.progress, job.cancel) as passes:
        try:
            return passes.measure(what, windows, Timeline.unknown(columns, first, stop))
        except SourceError as error:
            # A hole as long as a part is a hole in the stream, which the whole may have.
            if len(job.library.windows(job.ticket.id)) < len(windows):
                raise
            log.info("Job %d: %s", job.ticket.id, error)
            return {"failed": len(windows)}


def remembered_source(job: Job, url: str, settings: Settings, cancel: CancelToken) -> Source:
    """What a link leads to; asked once for the parts that one worker does one after another."""
    known: dict[tuple[str, Settings], tuple[float, Source]] = job.memory.setdefault("sources", {})
    key = (url, settings)
    if key in known and time.monotonic() - known[key][0] < REMEMBERED_S:
        return known[key][1]
    project = None if job.info.project_id is None else job.library.project(job.info.project_id)
    source_id = None if project is None else project.source_id
    source = resolve_or_kept(job.library, source_id, url, settings, cancel)
    while len(known) >= MOST_REMEMBERED:
        del known[next(iter(known))]
    if not source.live:
        known[key] = (time.monotonic(), source)
    return source


def _parts(job: Job) -> list[JobInfo]:
    found: list[JobInfo] = []
    after: str | None = None
    while True:
        page = job.library.jobs(JobQuery(kind="measure_batch", parent_id=job.ticket.id, after=after, limit=500))
        found += page.items
        after = page.after
        if after is None:
            return found


def _result(window: Window, row: WindowRow, columns: int) -> WindowResult:
    rows = unpack_rows(row.result, columns) if row.result is not None else None
    if rows is None:
        raise SourceError(f"Window {window.n} was measured, but is not kept any more; start the analysis again.")
    return WindowResult(window, row.status, row.first_tick, rows, row.detail)
