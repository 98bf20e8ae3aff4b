"""H.264 bytes, as far as joining two encodings needs them: NAL units and parameter sets (ITU-T H.264, 7.3 and Annex B;
the MP4 form is ISO/IEC 14496-15)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

IDR, SEI, SPS, PPS, DELIMITER, FILLER, SPS_EXTENSION = 5, 6, 7, 8, 9, 12, 13
SLICES = frozenset({1, 2, 3, 4, IDR})

# Profiles whose parameter sets tell the form of chroma (7.3.2.1.1).
_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def kind_of(nal: bytes) -> int:
    """The type of a NAL unit."""
    return nal[0] & 31


@dataclass(frozen=True, slots=True)
class Framing:
    """How NAL units lie in a packet: behind start codes (`length_bytes` 0), or behind their length."""

    length_bytes: int = 0

    @classmethod
    def of(cls, extradata: bytes | None) -> Self:
        """That of a stream with these codec data."""
        return cls((extradata[4] & 3) + 1) if extradata and len(extradata) > 6 and extradata[0] == 1 else cls()

    def split(self, data: bytes) -> list[bytes]:
        """The NAL units of a packet.

        Raises:
            ValueError: the lengths don't add up.
        """
        return list(self._lengths(data) if self.length_bytes else _start_codes(data))

    def _lengths(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            begin = at + self.length_bytes
            at = begin + int.from_bytes(data[at:begin], "big")
            if not begin < at <= len(data):
                raise ValueError("a NAL unit does not end inside its packet")
            yield data[begin:at]


def _start_codes(data: bytes) -> Iterator[bytes]:
    begin = data.find(b"\0\0\1")
    while begin >= 0:
        after = data.find(b"\0\0\1", begin + 3)
        # Zeros before the next start code belong to it; no NAL unit ends in one.
        nal = data[begin + 3 : after if after >= 0 else len(data)].rstrip(b"\0")
        if nal:
            yield nal
        begin = after


def joined(nals: Sequence[bytes]) -> bytes:
    """NAL units as MP4 holds them, behind lengths of 4 bytes."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def sets_in(extradata: bytes | None) -> list[bytes]:
    """The parameter sets in a stream's codec data, in either form.

    Raises:
        ValueError: they are damaged.
    """
    if not extradata:
        return []
    if not Framing.of(extradata).length_bytes:
        return [nal for nal in _start_codes(extradata) if kind_of(nal) in (SPS, PPS)]
    found = []
    at = 5
    for mask in (31, 255):
        count = extradata[at] & mask
        at += 1
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            found.append(extradata[at + 2 : at + 2 + length])
            at += 2 + length
            if not length or at > len(extradata):
                raise ValueError("the parameter sets are cut off")
    return found


def avcc(sets: Sequence[bytes]) -> bytes:
    """The codec data of an MP4 track with these parameter sets; profile and level are those of the first SPS."""
    sps = [nal for nal in sets if kind_of(nal) == SPS]
    pps = [nal for nal in sets if kind_of(nal) == PPS]
    data = bytes([1, *sps[0][1:4], 0xFF, 0xE0 | len(sps)])
    data += b"".join(len(nal).to_bytes(2, "big") + nal for nal in sps) + bytes([len(pps)])
    data += b"".join(len(nal).to_bytes(2, "big") + nal for nal in pps)
    # The High profiles add: 4:2:0, 8 bits of luma and of chroma, no extensions.
    return data + (b"\xfd\xf8\xf8\0" if sps[0][1] in _CHROMA_PROFILES else b"")


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """What a sequence parameter set says.

    Attributes:
        number: its id.
        profile, level: as H.264 numbers them, 100 is High and 42 is level 4.2.
        plain: 4:2:0 in 8 bits.
        progressive: whole frames only.
    """

    number: int
    profile: int
    level: int
    plain: bool
    progressive: bool

    @classmethod
    def read(cls, nal: bytes) -> Self:
        """
        Raises:
            ValueError: it ends too early.
        """
        bits = _Bits(nal[4:])
        profile, level = nal[1], nal[3]
        number = bits.unsigned()
        plain = True
        if profile in _CHROMA_PROFILES:
            chroma = bits.unsigned()
            if chroma == 3:
                bits.take(1)
            plain = (chroma, bits.unsigned(), bits.unsigned()) == (1, 0, 0)
            bits.take(1)
            if bits.take(1):
                for index in range(12 if chroma == 3 else 8):
                    if bits.take(1):
                        bits.skip_scaling(16 if index < 6 else 64)
        bits.unsigned()
        order = bits.unsigned()
        if order == 0:
            bits.unsigned()
        elif order == 1:
            bits.take(1)
            bits.unsigned()
            bits.unsigned()
            for _ in range(bits.unsigned()):
                bits.unsigned()
        bits.unsigned()
        bits.take(1)
        bits.unsigned()
        bits.unsigned()
        return cls(number, profile, level, plain, progressive=bool(bits.take(1)))


def picture_set_number(nal: bytes) -> int:
    """The id of a picture parameter set.

    Raises:
        ValueError: it ends too early.
    """
    return _Bits(nal[1:]).unsigned()


class _Bits:
    """Reads a NAL unit bit by bit (7.2, 9.1)."""

    def __init__(self, data: bytes) -> None:
        payload = data.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(payload, "big")
        self._left = len(payload) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("a parameter set ends too early")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("a parameter set holds no number")
        return (1 << zeros) - 1 + self.take(zeros)

    def skip_scaling(self, size: int) -> None:
        last = after = 8
        for _ in range(size):
            if after:
                coded = self.unsigned()
                after = (last + ((coded + 1) // 2 if coded % 2 else -(coded // 2))) % 256
            last = after or last
