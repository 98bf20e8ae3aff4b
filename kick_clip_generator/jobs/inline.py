"""Analysis as a job that runs here and now, and goes on where a killed one stopped."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken, ProgressCallback
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.features.registry import EXTENDED_NAMES, FEATURES_VERSION, NAMES
from kick_clip_generator.highlights.detect import DetectionConfig
from kick_clip_generator.jobs.crew import ALONE, Crew
from kick_clip_generator.jobs.job import Interrupted, Split
from kick_clip_generator.library.feature_cache import FeatureCache
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import MEASURE, JobTicket, WindowRow
from kick_clip_generator.pipeline.analyze import Analysis, analyze, extended_pass
from kick_clip_generator.pipeline.effort import choose_effort
from kick_clip_generator.pipeline.passes import Pass
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.sources.renditions import for_analysis

# Longer than the slowest window takes with all its retries.
LEASE_S = 600.0
# Where workers of other machines wait for what a dead one held; a window of theirs takes a second or two.
CREW_LEASE_S = 120.0


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
    chat: Path | None = None,
    crew: Crew = ALONE,
) -> tuple[int, Analysis]:
    """Analyse a source under its job row; windows that an earlier run finished are taken from there.

    The identity of the job is the content and whatever changes its features, not the span: another span of the same
    source shares the windows, and so does another effort where it decodes the same pictures. Windows that were partial
    or failed are tried again.

    Args:
        crew: who helps; the others are as those of `analyze`.

    Returns:
        The id of the job of the first pass, and the analysis.

    Raises:
        JobTaken: when another live process works on the same source.
    """

    def keep(what: Pass, result: WindowResult) -> None:
        works[what].record(result)
        crew.checkpoint()

    lease_s = LEASE_S if crew is ALONE else CREW_LEASE_S
    effort = choose_effort(source, for_analysis(source, settings), settings)
    with contextlib.ExitStack() as claims:
        # Each pass gives other features of the same windows.
        passes = [Pass(pictures) for pictures in (effort.first, effort.second) if pictures is not None]
        closer = extended_pass(source, settings)
        works = {
            one: claims.enter_context(_claimed(library, source, settings, one, lease_s))
            for one in (*passes, closer)
            if one is not None
        }
        analysis = analyze(
            source,
            span,
            settings=settings,
            config=config,
            scorer=scorer,
            finished=lambda one: works[one].finished(),
            on_window=keep,
            progress=progress,
            cancel=cancel,
            chat=chat,
            elsewhere=crew.elsewhere(source, settings, lambda one: identity(source, settings, one)),
        )
    return works[passes[0]].ticket.id, analysis


class _Work:
    """A claimed job and what it has measured: in the rows of its windows while it runs, in the feature cache after."""

    def __init__(
        self, library: Library, ticket: JobTicket, key: str, cache: FeatureCache, *, columns: int, live: bool
    ) -> None:
        self.ticket = ticket
        self._library = library
        self._key = key
        self._cache = cache
        self._columns = columns
        # Nobody can look at the same minutes of a running stream again.
        self._live = live

    def finished(self) -> dict[int, tuple[int, FloatArray]]:
        """The windows that need not be measured again."""
        recorded = {n: row for n, row in self._library.windows(self.ticket.id).items() if row.status == "done"}
        kept = self._cache.load(self._key, self._columns)
        fresh = kept_rows(recorded, self._columns)
        return {n: windows for n, windows in {**kept, **fresh}.items() if n in recorded}

    def record(self, result: WindowResult) -> None:
        record_result(self._library, self.ticket, result)

    def settle(self) -> None:
        """Move the results from the database to the cache, in this order: a crash in between loses nothing."""
        if any(row.result is not None for row in self._library.windows(self.ticket.id).values()):
            if not self._live:
                self._cache.save(self._key, self.finished())
            self._library.release_results(self.ticket)


@contextlib.contextmanager
def _claimed(library: Library, source: Source, settings: Settings, what: Pass, lease_s: float) -> Iterator[_Work]:
    """The source's job, held by this process; its row says how it ended."""
    key = identity(source, settings, what)
    ticket = library.open_job(MEASURE, key, {"url": source.url}, lease_s=lease_s, reopen=True)
    columns = len(EXTENDED_NAMES if what.extended else NAMES)
    work = _Work(library, ticket, key, FeatureCache(settings.feature_dir), columns=columns, live=source.live)
    try:
        yield work
        work.settle()
    except (Split, Interrupted):
        library.release(ticket)
        raise
    except (KeyboardInterrupt, Cancelled):
        library.finish_job(ticket, "cancelled")
        raise
    except BaseException as error:
        library.finish_job(ticket, "failed", error=str(error) or type(error).__name__)
        raise
    library.finish_job(ticket, "done")


def identity(source: Source, settings: Settings, what: Pass) -> str:
    """Names what a pass over a source gives: its content, and all that changes its features."""
    parts = (
        source.fingerprint,
        FEATURES_VERSION,
        settings.frame_skip,
        settings.chunk_duration,
        settings.chunk_overlap,
        what.pictures,
        # The time of a running stream counts from when it was opened: what an earlier run saw lies elsewhere.
        uuid.uuid4() if source.live else "",
        *_measures(what),
    )
    return "analyze:" + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def _measures(what: Pass) -> tuple[str, ...]:
    """What else decides a pass's values: a library that is installed later brings what was unknown before."""
    if not what.extended:
        return ()
    from kick_clip_generator.features.extended import ExtendedExtractor

    return ("extended", *sorted(ExtendedExtractor().unavailable()))


def record_result(library: Library, ticket: JobTicket, result: WindowResult) -> None:
    """Keep what came of a window in its row.

    Raises:
        JobLost: when the job is not ours any more.
    """
    library.record_window(
        ticket,
        result.window.n,
        result.status,
        first_tick=result.first_tick,
        result=pack_rows(result.rows),
        detail=result.detail,
    )


def kept_rows(recorded: Mapping[int, WindowRow], columns: int) -> dict[int, tuple[int, FloatArray]]:
    """First tick and feature rows, by window, of those whose rows still hold them."""
    return {
        n: (row.first_tick, unpack_rows(row.result, columns)) for n, row in recorded.items() if row.result is not None
    }


def pack_rows(rows: FloatArray) -> bytes:
    """Feature rows as compressed little-endian float32."""
    return zlib.compress(np.ascontiguousarray(rows, "<f4").tobytes(), 1)


def unpack_rows(data: bytes, columns: int) -> FloatArray:
    """The inverse of `pack_rows`, shape `(ticks, columns)`."""
    return np.frombuffer(zlib.decompress(data), "<f4").reshape(-1, columns).astype(np.float32)
