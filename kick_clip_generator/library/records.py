"""What goes into the library and comes out of it: plain frozen facts, free of the database.

Times named `_at` are UNIX seconds by the database's clock; `None` means never or not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from kick_clip_generator.core.records import CutMode, Highlight, Kind, Span

JobStatus = Literal["queued", "running", "waiting", "done", "failed", "cancelled"]
ShownStatus = Literal["Pending", "Queued", "Downloading", "Processing", "Processed", "Error", "Cancelled"]
WindowStatus = Literal["done", "partial", "failed"]
ClipSort = Literal["newest", "oldest", "score", "stars", "name"]

MIN_STARS, MAX_STARS = 1, 5

Label = Literal["keep", "drop"]

# Whether every frame of a clip was decoded: not yet, without fault, with one.
CheckState = Literal["pending", "sound", "damaged"]

# What a label teaches where nobody gave stars: a kept clip is a good one, which leaves room above for five stars.
LABEL_STARS: Mapping[str, int] = {"keep": 4, "drop": 1}

# What workers do, see `service/kinds/`; "transcribe" comes with the speech.
KINDS = (
    "download",
    "analyze",
    "measure_batch",
    "live",
    "clips",
    "verify",
    "export",
    "export_batch",
    "compound",
    "retrain",
    "retention",
    "backup",
)

# The rows under which a source's windows are kept, whoever measured them. No worker claims them.
MEASURE = "measure"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A source as the library remembers it. Renditions are not kept: their URLs hold tokens that expire."""

    id: int
    url: str
    kind: str
    title: str
    channel: str
    duration_s: float
    fingerprint: str
    live: bool
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class JobTicket:
    """The right to work on a job, lost when another process takes the job over.

    Attributes:
        status: "running" when the job is ours, "done" when there is nothing left to do.
        resumed: the job was there before; `windows(id)` tells what is finished.
        fence: grows with every claim; a write under an older one is refused.
        lease_s: how long the job stays ours after each write.
    """

    id: int
    fence: int
    resumed: bool
    status: JobStatus
    owner: str
    lease_s: float


@dataclass(frozen=True, slots=True)
class JobInfo:
    """All that a job's row says.

    Attributes:
        status: "waiting" for the jobs that it was split into.
        step: as in `core.progress.Progress`.
        progress: 0-1.
        attempts: since it was begun, retried, or last recorded a window.
        payload: what to do; a link in it may be signed, so it is not for showing.
        idem_key: names the work; while one of a key is not ended, there is no second.
        not_before: when it may be tried again, after a failure.
        detail: what `Progress` says beside the step; what is not known is missing.
        result: what a job that is done gave.
        error: a sentence; `error_detail` is for the error log.
    """

    id: int
    kind: str
    status: JobStatus
    step: str
    progress: float
    attempts: int
    owner: str | None
    error: str | None
    payload: dict[str, Any]
    idem_key: str
    created_at: float
    updated_at: float
    max_attempts: int
    priority: int
    cancel_requested: bool
    not_before: float | None
    project_id: int | None
    parent_id: int | None
    detail: dict[str, Any]
    result: dict[str, Any]
    error_detail: str | None
    started_at: float | None
    ended_at: float | None

    @property
    def ended(self) -> bool:
        return self.status in ("done", "failed", "cancelled")

    @property
    def shown_status(self) -> ShownStatus:
        """The status in the words of the page and the API."""
        match self.status:
            case "queued":
                return "Pending" if self.not_before is not None else "Queued"
            case "running" | "waiting":
                return "Downloading" if self.kind == "download" else "Processing"
            case "done":
                return "Processed"
            case "failed":
                return "Error"
            case "cancelled":
                return "Cancelled"


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs to list, newest first.

    Attributes:
        status, kind, project_id: only those; None for all. What command lines measure (`MEASURE`) shows only when its
            kind is asked for.
        parent_id: only those that this job was split into; None leaves such out.
        after: `Page.after` of the page before.
        limit: jobs on a page, 1-500.
    """

    status: JobStatus | None = None
    kind: str | None = None
    project_id: int | None = None
    parent_id: int | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class WindowRow:
    """The checkpoint of one window.

    Attributes:
        first_tick: absolute index of the first tick in `result`.
        result: bytes as the caller packed them, None when the window failed.
        detail: coverage: what arrived and what did not.
    """

    n: int
    status: WindowStatus
    first_tick: int
    result: bytes | None
    detail: dict[str, Any]
    recorded_at: float


@dataclass(frozen=True, slots=True)
class HighlightRecord:
    """A highlight of the latest analysis of a source."""

    id: int
    source_id: int
    job_id: int | None
    highlight: Highlight


@dataclass(frozen=True, slots=True)
class Published:
    """A file that was written whole.

    Attributes:
        path: absolute, links in its folder resolved.
        size: bytes.
        sha256: hexadecimal.
        mtime_ns: its time of change, which tells later whether it is still this file.
    """

    path: Path
    size: int
    sha256: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """A clip to record.

    Attributes:
        file: as `files.publish` returned it.
        span: what was cut.
        row: the features that ranking saw (`core.clip_row`), NaN where unknown.
        model_version: the learned model that took part in choosing it, None for the heuristic alone.
        quality: the setting of the rendition that was cut, so that new ends are cut from the same one.
        check_note: what did not pass the check before it was published, so that it was cut in a stricter way.
    """

    source_id: int
    highlight: Highlight
    kind: Kind
    file: Published
    span: Span
    cut: CutMode
    row: Mapping[str, float]
    model_version: int | None = None
    highlight_id: int | None = None
    quality: str | None = None
    check_note: str = ""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recorded clip.

    Attributes:
        highlight: as it was found; `span` differs from its clip where somebody moved the ends.
        home: the folder that it was made in, with `keep/` and `drop/` below.
        name: the file's name.
        stars: the latest 1–5, None when it has none.
        skipped: somebody looked and gave no stars.
        kept: must not be overwritten or cleaned away.
        dropped: goes after a while, see `folders.scan_folders`.
        moved: somebody chose its ends by hand.
        missing: its file was not found when the folders were looked through.
        checked: whether all of it was decoded.
        check_note: what a check found: why it was cut in a stricter way, or what is damaged; may be empty.
    """

    id: int
    source_id: int
    source_url: str
    source_title: str
    highlight_id: int | None
    highlight: Highlight
    kind: Kind
    path: Path
    name: str
    size: int
    sha256: str
    mtime_ns: int
    span: Span
    cut: CutMode
    score: float
    stars: int | None
    skipped: bool
    kept: bool
    model_version: int | None
    created_at: float
    home: Path
    quality: str | None
    dropped: bool
    moved: bool
    checked: CheckState = "pending"
    check_note: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class NewEnds:
    """Ends that a clip is about to get, and the file that will show them.

    Attributes:
        check_note: as of `Clip`.
        by_hand: somebody chose them; else they are the old ones, in a file that is sound.
    """

    file: Published
    span: Span
    cut: CutMode
    check_note: str = ""
    by_hand: bool = True


@dataclass(frozen=True, slots=True)
class FileNote:
    """What a scan of the folders needs to know of a clip; `dropped_at` is None unless it is dropped.

    Attributes:
        missing: as an earlier scan left it.
    """

    id: int
    path: Path
    home: Path
    size: int
    mtime_ns: int
    sha256: str
    label: Label | None
    dropped_at: float | None
    announced: NewEnds | None
    missing: bool


@dataclass(frozen=True, slots=True)
class ClipQuery:
    """Which clips to list.

    Attributes:
        text: words that must all occur in the file name, title, channel or URL; upper and lower case alike.
        min_stars, max_stars: 1–5; clips without stars are left out then.
        unrated: only clips without stars.
        kept, skipped, dropped: only those (True), only the others (False), all (None).
        channel: its exact name.
        made_after, made_before: UNIX seconds, the latter itself left out.
        after: `Page.after` of the page before.
        limit: clips on a page, 1–500.
    """

    text: str = ""
    kind: Kind | None = None
    min_stars: int | None = None
    max_stars: int | None = None
    unrated: bool = False
    skipped: bool | None = None
    kept: bool | None = None
    dropped: bool | None = False
    source_id: int | None = None
    project_id: int | None = None
    channel: str | None = None
    made_after: float | None = None
    made_before: float | None = None
    sort: ClipSort = "newest"
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, and where the next page begins: None at the end."""

    items: tuple[Item, ...]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class RatingTotals:
    """Stars and labels, in all and since the newest model was trained (whether or not it was promoted)."""

    total: int
    since_last_model: int


@dataclass(frozen=True, slots=True)
class RatingCounts:
    """How many clips have how many stars.

    Attributes:
        by_stars: clips by their latest stars; every key 1–5 is there.
        skips: how often somebody skipped.
        labeled_clips: those without stars that were kept or dropped.
    """

    by_stars: Mapping[int, int]
    skips: int
    labeled_clips: int = 0

    @property
    def rated_clips(self) -> int:
        return sum(self.by_stars.values())


@dataclass(frozen=True, slots=True)
class Sample:
    """A label to learn from, with the features that ranking saw.

    Attributes:
        stars: the latest of the clip; of one without stars that was kept or dropped, what that is worth
            (`LABEL_STARS`).
        channel: who streamed; may be empty.
    """

    clip_id: int
    source_id: int
    kind: Kind
    row: dict[str, float]
    stars: int
    rated_at: float
    rating_id: int
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Unrated:
    """A clip that somebody may be asked about, with the features that ranking saw."""

    clip_id: int
    kind: Kind
    row: dict[str, float]
    channel: str


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A trained model on disk.

    Attributes:
        n: its number, 1 upwards.
        kinds: the kinds it was fitted for.
        metrics: JSON; a figure that could not be computed is None.
    """

    n: int
    path: Path
    sha256: str
    n_ratings: int
    kinds: tuple[str, ...]
    metrics: dict[str, Any]
    created_at: float
    active: bool
