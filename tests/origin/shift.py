"""Endless streams from a few made segments: the same media again at another time, as MPEG-TS or fragmented MP4.

    counters: dict[int, int] = {}
    for n in itertools.count():
        yield shift_ts(made[n % len(made)], (n // len(made)) * loop_90khz, counters)

Only time stamps and counters change, so a copy costs a pass over its packet headers. Formats: ISO/IEC 13818-1 and
ISO/IEC 14496-12.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping

PACKET_BYTES = 188
WRAP_90KHZ = 2**33

# Stream ids whose PES headers carry no time stamps: maps, padding, private 2, ECM, EMM, directories.
_UNTIMED = frozenset({0xBC, 0xBE, 0xBF, 0xF0, 0xF1, 0xF2, 0xF8, 0xFF})


def shift_ts(data: bytes, by_90khz: int, counters: dict[int, int] | None = None) -> bytes:
    """A TS segment with all its clocks (PCR, OPCR, PTS, DTS) moved, modulo 2**33 as in real streams.

    Args:
        data: whole packets.
        by_90khz: what is added, may be negative.
        counters: the next continuity counter of each PID, so that segments of one stream fit together; advanced in
            place. PIDs that are not in it go on from 0. None: counters stay as they are.
    """
    assert len(data) % PACKET_BYTES == 0, f"expected whole packets, got {len(data)} bytes"
    out = bytearray(data)
    for at in range(0, len(out), PACKET_BYTES):
        assert out[at] == 0x47, f"expected a packet at byte {at}"
        pid = (out[at + 1] & 0x1F) << 8 | out[at + 2]
        has_payload = bool(out[at + 3] & 0x10)
        if counters is not None and has_payload and pid != 0x1FFF:
            out[at + 3] = out[at + 3] & 0xF0 | counters.get(pid, 0)
            counters[pid] = (counters.get(pid, 0) + 1) % 16
        payload = at + 4
        if out[at + 3] & 0x20:
            _shift_clocks(out, at + 4, by_90khz)
            payload += 1 + out[at + 4]
        starts = bool(out[at + 1] & 0x40)
        if has_payload and starts and payload + 19 <= at + PACKET_BYTES and out[payload : payload + 3] == b"\0\0\1":
            _shift_stamps(out, payload, by_90khz)
    return bytes(out)


def payload_packets(data: bytes) -> Counter[int]:
    """How many packets advance the continuity counter of each PID: what `counters` would count, without state."""
    return Counter(
        (data[at + 1] & 0x1F) << 8 | data[at + 2] for at in range(0, len(data), PACKET_BYTES) if data[at + 3] & 0x10
    )


def _shift_clocks(out: bytearray, field: int, by_90khz: int) -> None:
    """PCR and OPCR of an adaptation field."""
    if out[field] == 0:
        return
    at = field + 2
    for flag in (0x10, 0x08):
        if out[field + 1] & flag:
            value = int.from_bytes(out[at : at + 6])
            base = ((value >> 15) + by_90khz) % WRAP_90KHZ
            out[at : at + 6] = (base << 15 | value & 0x7FFF).to_bytes(6)
            at += 6


def _shift_stamps(out: bytearray, pes: int, by_90khz: int) -> None:
    """PTS and DTS of a PES header."""
    if out[pes + 3] in _UNTIMED or out[pes + 3] < 0xBC:
        return
    for number in range({2: 1, 3: 2}.get(out[pes + 7] >> 6, 0)):
        at = pes + 9 + 5 * number
        value = int.from_bytes(out[at : at + 5])
        stamp = (value >> 3 & 7 << 30) | (value >> 2 & 0x7FFF << 15) | (value >> 1 & 0x7FFF)
        stamp = (stamp + by_90khz) % WRAP_90KHZ
        spread = (stamp >> 30) << 33 | (stamp >> 15 & 0x7FFF) << 17 | (stamp & 0x7FFF) << 1
        # The four leading bits and the three markers stay.
        out[at : at + 5] = (value & 0xF0_0001_0001 | 1 << 32 | spread).to_bytes(5)


def shift_mp4(data: bytes, by_90khz: int, timescales: Mapping[int, int]) -> bytes:
    """A fragmented MP4 segment with its decode times (tfdt, and sidx if there is one) moved.

    Args:
        data: a media segment, without its init section.
        by_90khz: what is added; the result must not be negative.
        timescales: of each track, from `timescales_of(init)`.
    """
    out = bytearray(data)
    for name, at, end in _boxes(out, 0, len(out)):
        if name == b"sidx":
            scale = int.from_bytes(out[at + 8 : at + 12])
            _add(out, at + 12, 8 if out[at] else 4, round(by_90khz * scale / 90_000))
        if name != b"moof":
            continue
        for inner, traf, traf_end in _boxes(out, at, end):
            if inner != b"traf":
                continue
            track = 0
            for leaf, start, _ in _boxes(out, traf, traf_end):
                if leaf == b"tfhd":
                    track = int.from_bytes(out[start + 4 : start + 8])
                elif leaf == b"tfdt":
                    _add(out, start + 4, 8 if out[start] else 4, round(by_90khz * timescales[track] / 90_000))
    return bytes(out)


def timescales_of(init: bytes) -> dict[int, int]:
    """Ticks per second of each track of an init section."""
    found: dict[int, int] = {}
    for _, moov, moov_end in (box for box in _boxes(init, 0, len(init)) if box[0] == b"moov"):
        for _, trak, trak_end in (box for box in _boxes(init, moov, moov_end) if box[0] == b"trak"):
            track = scale = 0
            for name, at, end in _boxes(init, trak, trak_end):
                if name == b"tkhd":
                    track = int.from_bytes(init[at + (20 if init[at] else 12) :][:4])
                elif name == b"mdia":
                    for leaf, start, _ in _boxes(init, at, end):
                        if leaf == b"mdhd":
                            scale = int.from_bytes(init[start + (20 if init[start] else 12) :][:4])
            found[track] = scale
    return found


def _boxes(data: bytes | bytearray, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first content byte and end of each box."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, at + 8)[0], 16
        size = size or end - at
        yield name, at + header, at + size
        at += size


def _add(out: bytearray, at: int, size: int, value: int) -> None:
    out[at : at + size] = (int.from_bytes(out[at : at + size]) + value).to_bytes(size)
