"""HLS recordings: a media playlist, or a master playlist that lists one per quality."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.sources.http import HttpClient
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.local import fingerprint
from kick_clip_generator.sources.playlist import (
    MAX_PLAYLIST_BYTES,
    MediaPlaylist,
    is_playlist,
    parse_master,
    parse_media,
)
from kick_clip_generator.sources.safety import identity, public_url, redact, title_of


def resolve_hls(inquiry: Inquiry) -> Source | None:
    """A web address that answers with an HLS playlist, whatever its name or content type.

    Raises:
        SourceError: when the playlist cannot be read, or is one of a live stream.
    """
    if not inquiry.is_web or not is_playlist(inquiry.beginning.body):
        return None
    reply = inquiry.client.get(inquiry.url, cap=MAX_PLAYLIST_BYTES)
    renditions = parse_master(reply.body, reply.url)
    if renditions:
        renditions, playlist = _first_readable(inquiry.client, renditions)
    else:
        renditions = (Rendition(url=inquiry.url),)
        playlist = parse_media(reply.body, reply.url)
    if not playlist.ended:
        raise SourceError(
            f"{redact(inquiry.url)} is a live stream, which cannot be read yet; try again when it has ended.",
            outcome="unsupported",
        )
    parts = urlsplit(inquiry.url)
    return Source(
        url=public_url(inquiry.url),
        kind="hls",
        title=title_of(parts.path, fallback=parts.hostname or ""),
        duration_s=playlist.duration_s,
        fingerprint=fingerprint("hls", identity(inquiry.url), _digest(playlist)),
        renditions=renditions,
    )


def load_playlist(client: HttpClient, url: str) -> MediaPlaylist:
    """Fetch and check a media playlist.

    Raises:
        SourceError: when it cannot be had or read.
    """
    reply = client.get(url, cap=MAX_PLAYLIST_BYTES)
    return parse_media(reply.body, reply.url)


def _first_readable(
    client: HttpClient, renditions: tuple[Rendition, ...]
) -> tuple[tuple[Rendition, ...], MediaPlaylist]:
    """The cheapest rendition whose playlist is really there, with those above it."""
    failure: SourceError | None = None
    for place, rendition in enumerate(renditions):
        try:
            return renditions[place:], load_playlist(client, rendition.url)
        except SourceError as error:
            # The first failure names the rendition that should have worked.
            failure = failure or error
    raise failure or ValueError("expected at least one rendition, got none")


def _digest(playlist: MediaPlaylist) -> str:
    """A hash of the segments' names and durations; without folders and queries, which may sign them anew each time."""
    digest = hashlib.sha256()
    for segment in playlist.segments:
        name = urlsplit(segment.resource.url).path.rpartition("/")[2]
        line = f"{name} {segment.resource.byte_range} {segment.span.duration_s:.3f}\n"
        digest.update(line.encode("utf-8", "replace"))
    return digest.hexdigest()
