"""What a tool found on a platform becomes a `Source`, once our own client could read a rendition of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.sources.hls.listing import read_hls
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.platforms import outcomes
from kick_clip_generator.sources.platforms.links import NAMES, PlatformLink
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.safety import MAX_TITLE_CHARS, check_url, clean_text

log = logging.getLogger(__name__)

# Enough to see that a server gives the file out.
PEEK_BYTES = 4096
# A platform that refuses three of its renditions refuses the others, too.
MAX_TRIES = 3

# What a page's player would send; the rest is the business of whoever makes the request.
_KEPT_HEADERS = ("user-agent", "referer", "origin", "accept", "accept-language")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tool found, taken apart and checked.

    Attributes:
        stream: the platform's id of what runs now, which tells two streams of one channel apart.
        The others are those of `Source`.
    """

    link: PlatformLink
    provider: str
    kind: Literal["hls", "http"]
    renditions: tuple[Rendition, ...]
    title: str
    channel: str
    duration_s: float
    live: bool
    stream: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)


def kept_headers(headers: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Those of a tool's request headers that tell who asks and from which page."""
    return tuple(
        (name, value) for name, value in headers.items() if name.lower() in _KEPT_HEADERS and isinstance(value, str)
    )


def checked_source(finding: Finding, inquiry: Inquiry) -> Source:
    """A source, after our own client has read a rendition: tools get answers that others are refused.

    Of HLS the media playlist is read, which also tells whether the stream has ended; of a file its first bytes.

    Raises:
        SourceError: when none of the renditions that were tried can be read.
        Cancelled: when the cancel token is up.
    """
    source = _source(finding)
    for rendition in source.renditions:
        for url in filter(None, (rendition.url, rendition.audio_url)):
            check_url(url)
    first = source.renditions.index(for_analysis(source, inquiry.settings))
    # From the one that the analysis takes upwards, then those below.
    tried = (*source.renditions[first:], *reversed(source.renditions[:first]))[:MAX_TRIES]
    failures: dict[Rendition, SourceError] = {}
    with HttpClient(inquiry.settings, inquiry.cancel, Carry.of(source, inquiry.settings)) as client:
        for rendition in tried:
            try:
                if finding.kind == "http":
                    client.peek(rendition.url, PEEK_BYTES)
                    return _source(finding, without=failures)
                listing = read_hls(client, rendition.url)
            except SourceError as error:
                log.info("%s: the rendition %s cannot be read: %s", finding.provider, rendition.name or "?", error)
                failures[rendition] = error
            else:
                # A recording that is still being made has no end yet, and is followed like a live stream.
                return _source(finding, without=failures, live=not listing.ended, duration_s=listing.duration_s)
    raise _unreadable(finding.link, next(iter(failures.values()))) from None


def _source(
    finding: Finding,
    *,
    without: Collection[Rendition] = (),
    live: bool | None = None,
    duration_s: float = math.nan,
) -> Source:
    link = finding.link
    live = finding.live if live is None else live
    return Source(
        url=link.url,
        kind=finding.kind,
        title=clean_text(finding.title, MAX_TITLE_CHARS).strip() or _start(link.name),
        duration_s=math.nan if live else finding.duration_s if math.isnan(duration_s) else duration_s,
        fingerprint=f"{link.platform}:{link.id or finding.stream or link.channel}{':live' if live else ''}",
        renditions=tuple(rendition for rendition in finding.renditions if rendition not in without),
        channel=clean_text(finding.channel, MAX_TITLE_CHARS).strip() or link.channel,
        live=live,
        link=link.url,
        headers=finding.headers,
        cookies=finding.cookies,
        provider=finding.provider,
    )


def _unreadable(link: PlatformLink, failure: SourceError) -> SourceError:
    if failure.outcome in ("blocked", "not_found", "gone"):
        # The page is there, and its media are not given out: signed for somebody else, or refused to this program.
        return outcomes.refusal(link, "blocked", f"its media, on the servers of {NAMES[link.platform]}")
    return failure


def _start(name: str) -> str:
    return name[:1].upper() + name[1:]
