"""HLS recordings and live streams: a media playlist, or a master playlist that lists one per quality."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.sources.hls.master import parse_master
from kick_clip_generator.sources.hls.playlist import MAX_PLAYLIST_BYTES, MediaPlaylist, is_playlist, parse_media
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.local import fingerprint
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.renditions import with_sound
from kick_clip_generator.sources.safety import identity, public_url, redact, title_of

log = logging.getLogger(__name__)

# YouTube lists 30 renditions and has them all; platforms that refuse some list a few.
MAX_TRIED = 12
PEEK_BYTES = 1024


@dataclass(frozen=True, slots=True)
class HlsListing:
    """What an HLS address offers.

    Attributes:
        renditions: all whose playlists can be had; cheapest first.
        playlist: that of the cheapest picture (of the sound where there is no picture).
    """

    renditions: tuple[Rendition, ...]
    playlist: MediaPlaylist

    @property
    def ended(self) -> bool:
        """Whether it is a recording; a live stream's playlist grows."""
        return self.playlist.ended

    @property
    def duration_s(self) -> float:
        """NaN for a live stream."""
        return self.playlist.duration_s if self.ended else math.nan


def resolve_hls(inquiry: Inquiry) -> Source | None:
    """A web address that answers with an HLS playlist, whatever its name or content type.

    Raises:
        SourceError: when the playlist cannot be read.
    """
    if not inquiry.is_web or not is_playlist(inquiry.beginning.body):
        return None
    listing = read_hls(inquiry.client, inquiry.url)
    parts = urlsplit(inquiry.url)
    name = identity(inquiry.url)
    return Source(
        url=public_url(inquiry.url),
        kind="hls",
        title=title_of(parts.path, fallback=parts.hostname or ""),
        duration_s=listing.duration_s,
        fingerprint=(
            fingerprint("hls", name, content_digest(listing.playlist))
            if listing.ended
            else fingerprint("hls live", name, _session(listing.playlist))
        ),
        renditions=listing.renditions,
        live=not listing.ended,
        link=inquiry.url,
        provider="hls",
    )


def read_hls(client: HttpClient, url: str) -> HlsListing:
    """List the renditions of a master playlist, or the one of a media playlist.

    Some servers give the master playlist and refuse a rendition's: those are left out.

    Args:
        client: does the requests.
        url: of either kind of playlist.

    Raises:
        SourceError: when no playlist with segments can be had.
    """
    reply = client.get(url, cap=MAX_PLAYLIST_BYTES)
    renditions = parse_master(reply.body, reply.url)
    if not renditions:
        return HlsListing((Rendition(url=url),), _begun(parse_media(reply.body, reply.url), url))
    # Pictures first: the analysis reads one.
    waiting = sorted(renditions, key=lambda rendition: rendition.has_video is False)
    gone: set[str] = set()
    playlist = _first_readable(client, waiting, gone)
    for rendition in waiting[:MAX_TRIED]:
        _try(client, rendition, gone)
    there = tuple(rendition for rendition in renditions if rendition.url not in gone)
    sounds = [rendition for rendition in there if rendition.has_video is False]
    # Sound of another language or bitrate is better than none.
    return HlsListing(
        tuple(
            with_sound([replace(rendition, audio_url="")], sounds)[0] if rendition.audio_url in gone else rendition
            for rendition in there
        ),
        playlist,
    )


def load_playlist(client: HttpClient, url: str) -> MediaPlaylist:
    """Fetch and check a media playlist.

    Raises:
        SourceError: when it cannot be had or read.
    """
    reply = client.get(url, cap=MAX_PLAYLIST_BYTES)
    return parse_media(reply.body, reply.url)


def content_digest(playlist: MediaPlaylist) -> str:
    """A hash that two visits of one recording share, whichever rendition they read, and a changed recording does not.

    It is of the segments' lengths: addresses may be signed anew at each visit, and renditions name segments their own
    way.
    """
    digest = hashlib.sha256()
    for segment in playlist.segments:
        digest.update(f"{segment.span.duration_s:.1f}\n".encode())
    started_s = playlist.segments[0].program_time_s
    digest.update(b"" if math.isnan(started_s) else f"{started_s:.0f}".encode())
    return digest.hexdigest()


def _session(playlist: MediaPlaylist) -> str:
    """Another word at each visit of a live stream: what is read is never the same twice."""
    return f"{playlist.segments[0].program_time_s} {playlist.first_sequence} {time.time_ns()}"


def _begun(playlist: MediaPlaylist, url: str) -> MediaPlaylist:
    if not playlist.segments:
        raise SourceError(f"{redact(url)} has not begun to stream yet; try again in a minute.", outcome="offline")
    return playlist


def _first_readable(client: HttpClient, waiting: list[Rendition], gone: set[str]) -> MediaPlaylist:
    """The playlist of the first rendition whose playlist is really there.

    Those before it move from `waiting` to `gone`; it leaves `waiting`.
    """
    failure: SourceError | None = None
    while waiting:
        rendition = waiting.pop(0)
        try:
            return _begun(load_playlist(client, rendition.url), rendition.url)
        except SourceError as error:
            # The first failure names the rendition that should have worked.
            failure = failure or error
            _leave_out(rendition, error, gone)
    raise failure or ValueError("expected at least one rendition, got none")


def _try(client: HttpClient, rendition: Rendition, gone: set[str]) -> None:
    try:
        beginning = client.peek(rendition.url, PEEK_BYTES).body
        if not is_playlist(beginning):
            raise SourceError(f"{redact(rendition.url)} is no playlist.", outcome="not_media")
    except SourceError as error:
        _leave_out(rendition, error, gone)


def _leave_out(rendition: Rendition, error: SourceError, gone: set[str]) -> None:
    log.info("Quality %s is left out: %s", rendition.name or "without a name", error)
    gone.add(rendition.url)
