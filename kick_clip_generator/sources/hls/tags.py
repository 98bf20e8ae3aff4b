"""The tags of a playlist, read by the m3u8 package behind caps; what it would choke on or is slow at is read here.

Only the tags that matter here reach m3u8 (0.08 s of CPU for 9,000 segments), so that a malformed date or advertising
tag cannot make a good playlist unreadable. Format: RFC 8216 and draft-pantos-hls-rfc8216bis.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import m3u8

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.safety import MAX_URL_CHARS, check_url, redact

MAX_PLAYLIST_BYTES = 32 * 2**20
MAX_LINES = 400_000
# Two days of 2 s segments.
MAX_SEGMENTS = 86_400
MAX_NUMBER = 2**53
MAX_DATE_RANGES = 10_000

_LEFT_TO_M3U8 = frozenset(
    f"#EXT{name}"
    for name in (
        *("M3U", "INF", "-X-BYTERANGE", "-X-DISCONTINUITY", "-X-ENDLIST", "-X-GAP", "-X-I-FRAMES-ONLY", "-X-MEDIA"),
        *("-X-PLAYLIST-TYPE", "-X-STREAM-INF"),
    )
)
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
# Line ends for `str.splitlines`, on which m3u8 relies, but not for the standard, nor for the cap on lines.
_ODD_LINE_ENDS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Addresses that join without a look at the rules: nothing in them starts a scheme, climbs folders or needs escaping.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_~%][A-Za-z0-9_~%./?=&+@$!*,-]*", re.ASCII)
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """An AES-128 key of segments.

    Attributes:
        url: where its 16 bytes are; secret.
        iv: the initialization vector, None when it is the segment's sequence number.
    """

    url: str = field(repr=False)
    iv: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MapTag:
    """EXT-X-MAP: the attributes of an init section, and the key that was in force where it stood."""

    attributes: dict[str, str]
    key: Key | None


class Addresses:
    """Makes the addresses of one playlist absolute, and checks their form; quick for the plain ones among thousands.

    Args:
        base: where the playlist came from.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        check_url(base)
        self._folder = urljoin(base.partition("?")[0].partition("#")[0], ".")
        self._known_origins: set[str] = set()

    def absolute(self, uri: str) -> str:
        """An address as it stands in the playlist, made absolute.

        Raises:
            SourceError: when it is no web address.
        """
        if len(uri) + len(self._folder) <= MAX_URL_CHARS and "./" not in uri:
            if _PLAIN_NAME.fullmatch(uri):
                return self._folder + uri
            origin = _ORIGIN.match(uri)
            if origin and origin[0] in self._known_origins and _PLAIN_NAME.fullmatch(uri, origin.end()):
                return uri
        try:
            absolute = urljoin(self.base, uri.strip().replace(" ", "%20"))
        except ValueError:
            raise damaged(self.base) from None
        check_url(absolute)
        if origin := _ORIGIN.match(absolute):
            self._known_origins.add(origin[0])
        return absolute


def is_playlist(data: bytes) -> bool:
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:7] == b"#EXTM3U"


def read_tags(data: bytes, addresses: Addresses) -> dict[str, Any]:
    """What m3u8 makes of a playlist, with more of our own.

    Returns:
        m3u8's dictionary, in which each of `segments` may also have `key` (a `Key`), `init_section` (a `MapTag`),
        `program_date_time` (POSIX seconds), `cue_out_s` (an ad break begins; NaN when its length is not known) and
        `cue_in`; beside them `target_s`, `first_sequence`, `discontinuity_sequence` and `date_ranges`.

    Raises:
        SourceError: when it is damaged, too large, or encrypted in a way that cannot be read.
    """
    url = addresses.base
    if not is_playlist(data):
        raise SourceError(f"{redact(url)} is no playlist (it does not begin with #EXTM3U).", outcome="not_media")
    lines = data.count(b"\n") + data.count(b"\r")
    if len(data) > MAX_PLAYLIST_BYTES or lines > MAX_LINES or data.count(b"#EXTINF") > MAX_SEGMENTS:
        raise too_large(url)
    text = _ODD_LINE_ENDS.sub(" ", data.decode("utf-8-sig", "replace"))
    reader = _TagReader(addresses)
    try:
        tags: dict[str, Any] = m3u8.parse(text, custom_tags_parser=reader)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError):
        raise damaged(url) from None
    return tags | reader.found


def attributes(line: str) -> dict[str, str]:
    """The attribute list of a tag; quotes are taken off."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


def posix_s(date: str) -> float:
    """An ISO 8601 date as POSIX seconds; NaN when it is none."""
    try:
        moment = datetime.fromisoformat(date.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def seconds(text: str | None) -> float:
    """A length in seconds; NaN when it is none."""
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if 0 <= value < MAX_NUMBER else math.nan


def damaged(url: str) -> SourceError:
    return SourceError(f"{redact(url)} is a damaged playlist, so it cannot be read.", outcome="not_media")


def too_large(url: str) -> SourceError:
    return SourceError(
        f"{redact(url)} is a playlist of more than {MAX_SEGMENTS:,} segments or {MAX_PLAYLIST_BYTES // 2**20} MB, "
        f"which is too long to read.",
        outcome="too_large",
    )


class _TagReader:
    """m3u8 calls it with each tag; True means that the tag is dealt with.

    Keys go by m3u8 only in its state, for m3u8 compares each of them with all others.
    """

    def __init__(self, addresses: Addresses) -> None:
        self.found: dict[str, Any] = {
            "target_s": math.nan,
            "first_sequence": 0,
            "discontinuity_sequence": 0,
            "date_ranges": [],
        }
        self._addresses = addresses
        # By format: of several keys for the same segments, one in the plain format is enough.
        self._keys: dict[str, Key | None] = {}

    def __call__(self, line: str, _lineno: int, _data: dict[str, Any], state: dict[str, Any]) -> bool:
        name, _, value = line.partition(":")
        name = name.rstrip()
        if name in _LEFT_TO_M3U8:
            return False
        if name == "#EXT-X-PROGRAM-DATE-TIME":
            if not math.isnan(at_s := posix_s(value)):
                state["program_date_time"] = at_s
        elif name == "#EXT-X-KEY":
            state["current_key"] = self._key(line)
        elif name == "#EXT-X-MAP":
            state["current_segment_map"] = MapTag(attributes(line), self._current_key())
        elif name == "#EXT-X-DATERANGE":
            if len(self.found["date_ranges"]) < MAX_DATE_RANGES:
                self.found["date_ranges"].append(attributes(line))
        elif name == "#EXT-X-CUE-OUT":
            state.setdefault("segment", {})["cue_out_s"] = seconds(attributes(line).get("DURATION") or value.strip())
        elif name == "#EXT-X-CUE-IN":
            state["cue_in"] = True
        elif name == "#EXT-X-TARGETDURATION":
            self.found["target_s"] = seconds(value)
        elif name == "#EXT-X-MEDIA-SEQUENCE":
            self.found["first_sequence"] = _whole(value)
        elif name == "#EXT-X-DISCONTINUITY-SEQUENCE":
            self.found["discontinuity_sequence"] = _whole(value)
        return True

    def _key(self, line: str) -> Key | None:
        values = attributes(line)
        method = values.get("METHOD", "")
        if method == "NONE":
            self._keys.clear()
            return None
        form = values.get("KEYFORMAT", "identity")
        if form != "identity" or method != "AES-128":
            self._keys[form] = None
        else:
            iv = values.get("IV", "")
            if iv and not re.fullmatch(r"0[xX][0-9a-fA-F]{1,32}", iv):
                raise ValueError("damaged initialization vector")
            url = self._addresses.absolute(values["URI"])
            self._keys[form] = Key(url, bytes.fromhex(iv[2:].zfill(32)) if iv else None)
        return self._current_key()

    def _current_key(self) -> Key | None:
        """The key in force; a segment that has none that can be used gets `UNUSABLE_KEY`."""
        return self._keys.get("identity") or (UNUSABLE_KEY if self._keys else None)


UNUSABLE_KEY = Key("")
"""Stands for DRM and for encryption of single samples."""


def _whole(text: str) -> int:
    number = int(text)
    if not 0 <= number < MAX_NUMBER:
        raise ValueError(f"expected a number from 0 to {MAX_NUMBER}, got {number}")
    return number
