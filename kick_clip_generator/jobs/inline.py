"""Analysis as a job that runs here and now, and goes on where a killed one stopped."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
import zlib
from collections.abc import Iterator

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
from kick_clip_generator.media.commands import Pictures
from kick_clip_generator.pipeline.analyze import Analysis, analyze
from kick_clip_generator.pipeline.effort import choose_effort
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.sources.renditions import for_analysis

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
    source shares the windows, and so does another effort where it decodes the same pictures. Windows that were partial
    or failed are tried again.

    Returns:
        The id of the job of the first pass, and the analysis.

    Raises:
        LibraryError: when another live process works on the same source.
    """
    effort = choose_effort(source, for_analysis(source, settings), settings)
    with contextlib.ExitStack() as claims:
        # Each choice of pictures gives other features of the same windows.
        tickets = {
            pictures: claims.enter_context(_claimed(library, source, settings, pictures))
            for pictures in (effort.first, effort.second)
            if pictures is not None
        }

        def finished(pictures: Pictures) -> dict[int, tuple[int, FloatArray]]:
            return {
                n: (row.first_tick, unpack_rows(row.result))
                for n, row in library.windows(tickets[pictures].id).items()
                if row.status == "done" and row.result is not None
            }

        def record(pictures: Pictures, result: WindowResult) -> None:
            library.record_window(
                tickets[pictures],
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
    return tickets[effort.first].id, analysis


@contextlib.contextmanager
def _claimed(library: Library, source: Source, settings: Settings, pictures: Pictures) -> Iterator[JobTicket]:
    """The source's job, held by this process; its row says how it ended."""
    ticket = library.open_job(
        "analyze",
        _identity(source, settings, pictures),
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


def _identity(source: Source, settings: Settings, pictures: Pictures) -> str:
    parts = (
        source.fingerprint,
        FEATURES_VERSION,
        settings.frame_skip,
        settings.chunk_duration,
        settings.chunk_overlap,
        pictures,
        # The time of a running stream counts from when it was opened: what an earlier run saw lies elsewhere.
        uuid.uuid4() if source.live else "",
    )
    return "analyze:" + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def pack_rows(rows: FloatArray) -> bytes:
    """Feature rows as compressed little-endian float32."""
    return zlib.compress(np.ascontiguousarray(rows, "<f4").tobytes(), 1)


def unpack_rows(data: bytes) -> FloatArray:
    """The inverse of `pack_rows`, shape `(ticks, len(NAMES))`."""
    return np.frombuffer(zlib.decompress(data), "<f4").reshape(-1, len(NAMES)).astype(np.float32)
