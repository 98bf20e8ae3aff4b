"""Where the tracks of an MP4 file end: its edit lists, shortened in place (ISO/IEC 14496-12, 8.6.6)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from kick_clip_generator.core.errors import MediaError

_PARENTS = frozenset({b"moov", b"trak", b"edts"})
# Of a few tracks and an hour of packets, many times over.
MAX_INDEX_BYTES = 256 * 1024 * 1024


class _Box(NamedTuple):
    kind: bytes
    begin: int
    end: int
    track: int


def trim_tracks(path: Path, ends_s: Sequence[float]) -> None:
    """Have players end each track at its time, whatever packets lie beyond (pictures that others refer to).

    The index must stand in front of the media, as libavformat writes it with `faststart`.

    Args:
        path: an MP4 file with one edit list per track, in boxes of version 0.
        ends_s: of each track in order, from the start of the clip; a track that ends before stays.

    Raises:
        MediaError: there are no such boxes.
    """
    with path.open("r+b") as file:
        found = _index_at(file)
        if found is None:
            raise MediaError(f"{path.name} has no index in front of its media.")
        begin, length = found
        index = bytearray(file.read(length))
        tick_hz = math.nan
        lengths: list[int] = []
        header = -1
        for box in _boxes(index, 0, len(index)):
            at = box.begin + 4
            if box.kind in (b"mvhd", b"tkhd", b"elst") and index[box.begin] != 0:
                raise MediaError(f"{path.name} holds times of an unknown form.")
            if box.kind == b"mvhd":
                tick_hz = _number(index, at + 8)
                header = at + 12
            elif box.kind == b"tkhd" and box.track < len(ends_s):
                lengths.append(min(_number(index, at + 16), round(ends_s[box.track] * tick_hz)))
                _put(index, at + 16, lengths[-1])
            elif box.kind == b"elst" and box.track < len(ends_s):
                left = lengths[-1]
                for entry in range(_number(index, at)):
                    place = at + 4 + 12 * entry
                    left -= _put(index, place, max(0, min(_number(index, place), left)))
        if header < 0 or len(lengths) != len(ends_s):
            raise MediaError(f"{path.name} does not hold the tracks that were written.")
        _put(index, header, max(lengths))
        file.seek(begin)
        file.write(index)


def index_is_in_front(path: Path) -> bool:
    """Whether a player can begin before it has the whole file.

    Raises:
        MediaError: the file can't be read.
    """
    try:
        with path.open("rb") as file:
            return _index_at(file) is not None
    except OSError as error:
        raise MediaError(f"{path.name} can't be read: {error.strerror or error}.") from error


def _index_at(file: BinaryIO) -> tuple[int, int] | None:
    """Begin and length of the content of `moov`; None where the media come first."""
    at = 0
    while len(header := file.read(8)) == 8:
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        if kind == b"moov" and 8 < length <= MAX_INDEX_BYTES:
            return at + 8, length - 8
        if length < 8 or kind == b"mdat":
            break
        at = file.seek(at + length)
    return None


def _boxes(data: bytearray, begin: int, end: int, track: int = -1) -> Iterator[_Box]:
    """The boxes inside, parents' contents included; `begin` and `end` are those of their contents."""
    at = begin
    while at + 8 <= end:
        length = _number(data, at)
        kind = bytes(data[at + 4 : at + 8])
        if length < 8 or at + length > end:
            return
        track += kind == b"trak"
        if kind in _PARENTS:
            yield from _boxes(data, at + 8, at + length, track)
        else:
            yield _Box(kind, at + 8, at + length, track)
        at += length


def _number(data: bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _put(data: bytearray, at: int, value: int) -> int:
    data[at : at + 4] = value.to_bytes(4, "big")
    return value
