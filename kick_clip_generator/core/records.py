"""The facts that travel down the straight line: frozen, checked once, trusted afterwards."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from kick_clip_generator.core.kinds import KINDS, MEDIA, Medium
from kick_clip_generator.core.kinds import Kind as Kind
from kick_clip_generator.core.timeline import TICK_S, first_tick_at, tick_containing

CutMode = Literal["copy", "smart", "exact"]

# Merging what overlaps at all joined neighbors: mean AP 0.827 on the development streams, 0.849 with this share.
SAME_MOMENT = 0.3


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch of stream time `[start_s, end_s)`, in seconds."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s) and self.start_s <= self.end_s):
            raise ValueError(f"expected a finite span with start <= end, got [{self.start_s}, {self.end_s})")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, other: Span) -> float:
        """Seconds that both spans share."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def temporal_iou(self, other: Span) -> float:
        """Intersection over union, 0 where the spans do not touch."""
        union = max(self.end_s, other.end_s) - min(self.start_s, other.start_s)
        return self.overlap_s(other) / union if union > 0 else 0.0

    def same_moment(self, other: Span) -> bool:
        """Whether two events are one moment for a person: they share more than `SAME_MOMENT` of the shorter one."""
        return self.overlap_s(other) > SAME_MOMENT * min(self.duration_s, other.duration_s)


@dataclass(frozen=True, slots=True)
class Rendition:
    """One quality of a source.

    Attributes:
        url: where it is read: a media playlist, a media file, or a local path. May be signed, so it is never shown.
        width_px, height_px: 0 when not known or audio only.
        fps, bitrate_bps: NaN when not known.
        codecs: as the playlist or the container names them, may be empty.
        has_audio, has_video: None when only reading will tell.
        audio_url: where the sound is when it is kept apart from the picture; empty when `url` holds it, if anything.
    """

    url: str = field(repr=False)
    width_px: int = 0
    height_px: int = 0
    fps: float = math.nan
    bitrate_bps: float = math.nan
    codecs: str = ""
    has_audio: bool | None = None
    has_video: bool | None = None
    audio_url: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """As platforms name it: "1080p60", "360p", "audio only"; empty when nothing is known."""
        if self.has_video is False:
            return "audio only"
        if not self.height_px:
            return ""
        return f"{self.height_px}p{round(self.fps) if self.fps > 31 else ''}"


SourceKind = Literal["file", "http", "hls"]


@dataclass(frozen=True, slots=True)
class Source:
    """What a URL or a path resolved to.

    Attributes:
        url: as the user gave it, without credentials and query; the name of the source in the library.
        kind: how its bytes are read: "file" (local), "http" (one file over Range requests) or "hls".
        title: for people; may hold any character.
        duration_s: NaN when not known.
        fingerprint: changes when the content does; part of a job's identity.
        renditions: all of them, cheapest first; never empty. `sources.renditions` chooses.
        channel: who streams; may be empty.
        live: it goes on while it is read; its length is not known.
        link: what resolves it again when its addresses have expired; secret, for it may be signed.
        headers: names and values that the resolver wants sent to the hosts of its renditions, and to no other; secret.
        cookies: likewise, as the lines of a Netscape cookie file; secret.
        provider: who resolved it: "file", "http", "hls", "kick", "yt-dlp" or "streamlink".
    """

    url: str
    kind: SourceKind
    title: str
    duration_s: float
    fingerprint: str
    renditions: tuple[Rendition, ...]
    channel: str = ""
    live: bool = False
    link: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    provider: str = ""

    def __post_init__(self) -> None:
        if not self.renditions:
            raise ValueError(f"expected at least one rendition of {self.url}, got none")


@dataclass(frozen=True, slots=True)
class Window:
    """The unit of fetching, progress and checkpoints.

    Window n spans `[n * stride, n * stride + length)` with stride = length - overlap, on the tick grid. Its first
    `overlap` seconds repeat the end of window n - 1: they are the decoder's and the features' lead-in. So a window
    *owns* the ticks in `[own_start_s, end_s)`, and each tick of a stream is owned by exactly one window.
    """

    n: int
    start_s: float
    end_s: float
    own_start_s: float

    @property
    def owned(self) -> Span:
        return Span(self.own_start_s, self.end_s)


def plan_windows(start_s: float, end_s: float, *, length_s: float, overlap_s: float) -> list[Window]:
    """The windows that own `[start_s, end_s)`, at absolute boundaries, so that any start offset gives the same ones.

    Boundaries are moved down to the tick grid (a tick belongs to one window whole), the overlap up. Window 0 owns its
    lead-in too; the last window ends at `end_s`. Owned spans are not clipped to `start_s`: the caller keeps the ticks
    it asked for.

    Raises:
        ValueError: when the overlap is not shorter than the window.
    """
    stride_s = length_s - overlap_s
    if stride_s < TICK_S:
        raise ValueError(f"expected an overlap shorter than the window of {length_s} s, got {overlap_s} s")
    lead_in_s = first_tick_at(overlap_s) * TICK_S
    windows: list[Window] = []
    for n in itertools.count(max(0, math.floor((start_s - lead_in_s) / stride_s))):
        begin_s, next_s = (tick_containing(k * stride_s) * TICK_S for k in (n, n + 1))
        window = Window(n, begin_s, min(next_s + lead_in_s, end_s), begin_s + lead_in_s if n else 0.0)
        if window.own_start_s >= end_s:
            break
        if window.end_s > start_s:
            windows.append(window)
    return windows


@dataclass(frozen=True, slots=True)
class ChatLine:
    """What a viewer wrote.

    Attributes:
        time_s: when, in stream time.
        user: whose line it is: any text that tells people apart.
        text: from a stranger; may hold any character.
    """

    time_s: float
    user: str
    text: str


@dataclass(frozen=True, slots=True)
class Reason:
    """What one signal contributed to a score; the contributions of a highlight add up to it.

    Attributes:
        signal: a documented feature name, e.g. "onset_strength", or "ratings" for the learned part.
        contribution: in units of the score.
        text: for people, e.g. "crowd-like noise +2.4 σ".
    """

    signal: str
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class Highlight:
    """A moment worth a clip.

    Attributes:
        kind: whose signals found it, see `Kind`.
        score: 0–1.
        peak_s: the strongest instant, inside the event.
        event: the moment itself.
        clip: what is cut: the event with its lead-in and reaction tail, or a fixed length.
        reasons: strongest first.
        heuristic_score: the score before the learned part was blended in.
        ml_score: the learned score, NaN without a model.
    """

    kind: Kind
    score: float
    peak_s: float
    event: Span
    clip: Span
    reasons: tuple[Reason, ...] = ()
    # Not compared: two highlights without a model are equal, though NaN is not NaN.
    heuristic_score: float = field(default=math.nan, compare=False)
    ml_score: float = field(default=math.nan, compare=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"expected a score in 0-1, got {self.score}")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form that users script against."""
        return {
            "start": round(self.clip.start_s, 3),
            "end": round(self.clip.end_s, 3),
            "event_start": round(self.event.start_s, 3),
            "event_end": round(self.event.end_s, 3),
            "peak": round(self.peak_s, 3),
            "score": round(self.score, 6),
            "kind": self.kind,
            "reasons": [
                {"signal": r.signal, "contribution": round(r.contribution, 6), "text": r.text} for r in self.reasons
            ],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Highlight:
        """The inverse of `to_dict`; `event_*`, `peak`, `kind` and `reasons` may be missing.

        Raises:
            ValueError: when start, end or score are missing or out of range.
        """
        try:
            start, end = float(data["start"]), float(data["end"])
            event = Span(float(data.get("event_start", start)), float(data.get("event_end", end)))
            kind = data.get("kind", "both")
            if kind not in KINDS:
                raise ValueError(f"expected a kind of {', '.join(KINDS)}, got {kind!r}")
            return cls(
                kind=kind,
                score=float(data.get("score", 0.0)),
                peak_s=float(data.get("peak", (event.start_s + event.end_s) / 2)),
                event=event,
                clip=Span(start, end),
                reasons=tuple(
                    Reason(str(r["signal"]), float(r["contribution"]), str(r.get("text", "")))
                    for r in data.get("reasons", ())
                ),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected a highlight with start, end and score, got {data!r}") from error


@dataclass(frozen=True, slots=True)
class Detection:
    """All that detection found in one stream.

    Attributes:
        audio, video, speech, chat: best first, per medium.
        merged: of all media, one per moment, ranked.
        notes: sentences for the user ("no audio: video highlights only", "best score 0.31 is under …").
    """

    audio: tuple[Highlight, ...] = ()
    video: tuple[Highlight, ...] = ()
    speech: tuple[Highlight, ...] = ()
    chat: tuple[Highlight, ...] = ()
    merged: tuple[Highlight, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def by_medium(self) -> dict[Medium, tuple[Highlight, ...]]:
        """What each medium found, in the order of `MEDIA`."""
        return {medium: getattr(self, medium) for medium in MEDIA}
