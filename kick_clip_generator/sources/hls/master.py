"""Master playlists: every quality that a stream is offered in, with the sound that belongs to each."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Rendition
from kick_clip_generator.sources.hls.tags import Addresses, read_tags, too_large
from kick_clip_generator.sources.renditions import ranked, with_sound
from kick_clip_generator.sources.safety import redact

# YouTube lists about 30.
MAX_VARIANTS = 500
_VIDEO_CODECS = re.compile(r"\b(avc|hvc|hev|av01|vp0?[89]|dvh|mp4v)", re.IGNORECASE)


def parse_master(data: bytes, url: str) -> tuple[Rendition, ...]:
    """All renditions of a master playlist, cheapest first; empty when it is a media playlist.

    A group of EXT-X-MEDIA whose members all have addresses keeps its sound apart: its members are listed as audio only,
    and the variants that name it get one of them as `audio_url`.

    Args:
        data: the playlist as it was served.
        url: where it came from, after redirects.

    Raises:
        SourceError: when it is damaged, too large, or lists nothing.
    """
    addresses = Addresses(url)
    tags = read_tags(data, addresses)
    if not tags["is_variant"]:
        return ()
    if len(tags["playlists"]) + len(tags["media"]) > MAX_VARIANTS:
        raise too_large(url)
    groups = _separate_sound(tags["media"], addresses)
    sounds = {sound.url: sound for group in groups.values() for sound in group.all}
    pictures: list[Rendition] = []
    for entry in tags["playlists"]:
        info = entry["stream_info"]
        address = addresses.absolute(entry["uri"])
        group = groups.get(info.get("audio", ""))
        rendition = _variant(info, address, sound_apart=group is not None)
        if address in sounds or rendition.has_video is False:
            # A variant that is a group's sound itself: what the variant says of it is more than the group says.
            sounds[address] = _variant(info, address, sound_alone=True)
        else:
            pictures += with_sound([rendition], group.preferred if group else ())
    renditions = ranked(dict.fromkeys([*sounds.values(), *pictures]))
    if not renditions:
        raise SourceError(f"{redact(url)} is a playlist that lists nothing.", outcome="not_media")
    return renditions


class _Group:
    """The members of an audio group.

    Attributes:
        all: every one.
        preferred: in the language that the stream itself is in.
    """

    def __init__(self, members: list[tuple[Rendition, bool]]) -> None:
        self.all = [sound for sound, _ in members]
        self.preferred = [sound for sound, is_default in members if is_default] or self.all[:1]


def _separate_sound(media: list[dict[str, Any]], addresses: Addresses) -> dict[str, _Group]:
    """Groups whose sound lies in playlists of its own: a member without URI is muxed into the picture's segments."""
    entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in media:
        if entry.get("type") == "AUDIO":
            entries[entry.get("group_id", "")].append(entry)
    return {
        name: _Group([(_sound(addresses.absolute(entry["uri"])), entry.get("default") == "YES") for entry in members])
        for name, members in entries.items()
        if all(entry.get("uri") for entry in members)
    }


def _sound(url: str) -> Rendition:
    return Rendition(url=url, has_audio=True, has_video=False)


def _variant(info: Mapping[str, Any], url: str, *, sound_apart: bool = False, sound_alone: bool = False) -> Rendition:
    codecs = str(info.get("codecs", ""))
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(info.get("resolution", "")))
    has_video: bool | None = None
    if sound_alone:
        has_video = False
    elif size or _VIDEO_CODECS.search(codecs):
        has_video = True
    elif codecs:
        has_video = False
    # Sound may be muxed in though a playlist names video codecs alone; where none is apart, reading will tell.
    has_audio = True if has_video is False else False if sound_apart else None
    return Rendition(
        url=url,
        width_px=int(size[1]) if size and has_video else 0,
        height_px=int(size[2]) if size and has_video else 0,
        fps=_positive(info.get("frame_rate")) if has_video is not False else math.nan,
        bitrate_bps=_positive(info.get("bandwidth")),
        codecs=codecs[:200],
        has_audio=has_audio,
        has_video=has_video,
    )


def _positive(value: float | None) -> float:
    return float(value) if value is not None and 0 < value < 1e12 else math.nan
