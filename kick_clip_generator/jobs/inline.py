"""Analysis as a job that runs here and now, and goes on where a killed one stopped."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken, ProgressCallback
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.features.registry import FEATURES_VERSION, NAMES
from kick_clip_generator.highlights.detect import DetectionConfig
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import JobTicket
from kick_clip_generator.pipeline.analyze import Analysis, analyze
from kick_clip_generator.pipeline.ticks import WindowResult

# Longer than the slowest window takes with all its retries.
LEASE_S = 600.0


def analyze_inline(
    library: Library,
    source: Source,
    span: Span,
    *,
    settings: Settings,
    config: DetectionConfig,
    scorer: Scorer | None,
    progress: ProgressCallback,
    cancel: CancelToken,
) -> tuple[int, Analysis]:
    """Analyse a source under its job row; windows that an earlier run finished are taken from there.

    The identity of the job is the content and whatever changes its features, not the span: another span of the same
    source shares the windows. Windows that were partial or failed are tried again.

    Returns:
        The job's id and the analysis.

    Raises:
        LibraryError: when another live process works on the same source.
    """
    with _claimed(library, source, settings) as ticket:
        finished = {
            n: (row.first_tick, unpack_rows(row.result))
            for n, row in library.windows(ticket.id).items()
            if row.status == "done" and row.result is not None
        }

        def record(result: WindowResult) -> None:
            library.record_window(
                ticket,
                result.window.n,
                result.status,
                first_tick=result.first_tick,
                result=pack_rows(result.rows),
                detail=result.detail,
            )

        analysis = analyze(
            source,
            span,
            settings=settings,
            config=config,
            scorer=scorer,
            finished=finished,
            on_window=record,
            progress=progress,
            cancel=cancel,
        )
    return ticket.id, analysis


@contextmanager
def _claimed(library: Library, source: Source, settings: Settings) -> Iterator[JobTicket]:
    """The source's job, held by this process; its row says how it ended."""
    ticket = library.open_job(
        "analyze",
        _identity(source, settings),
        {"url": source.url},
        lease_s=LEASE_S,
        reopen=True,
    )
    try:
        yield ticket
    except (KeyboardInterrupt, Cancelled):
        library.finish_job(ticket, "cancelled")
        raise
    except BaseException as error:
        library.finish_job(ticket, "failed", error=str(error) or type(error).__name__)
        raise
    library.finish_job(ticket, "done")


def _identity(source: Source, settings: Settings) -> str:
    parts = (
        source.fingerprint,
        FEATURES_VERSION,
        settings.frame_skip,
        settings.chunk_duration,
        settings.chunk_overlap,
    )
    return "analyze:" + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def pack_rows(rows: FloatArray) -> bytes:
    """Feature rows as compressed little-endian float32."""
    return zlib.compress(np.ascontiguousarray(rows, "<f4").tobytes(), 1)


def unpack_rows(data: bytes) -> FloatArray:
    """The inverse of `pack_rows`, shape `(ticks, len(NAMES))`."""
    return np.frombuffer(zlib.decompress(data), "<f4").reshape(-1, len(NAMES)).astype(np.float32)
