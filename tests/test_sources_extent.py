"""What a segment covers, by its time stamps alone, is what a demuxer finds; damaged bytes tell nothing, and quickly."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from kick_clip_generator.core.records import Span
from kick_clip_generator.media.probe import open_media, packets_of
from kick_clip_generator.sources.hls.coverage import Holes, is_suspect, lost_parts
from kick_clip_generator.sources.hls.extent import Extent, extent_of
from kick_clip_generator.sources.hls.playlist import Resource, Segment
from tests.origin import make_hls, make_media

PACKET = 188


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("extent")
    game = make_media(made / "game.mp4", duration_s=6, size="160x90")
    make_hls(made / "mpegts", game)
    make_hls(made / "fmp4", game, "fmp4")
    make_hls(made / "sound", make_media(made / "sound.m4a", duration_s=6, video=False))
    return made


def _segment(folder: Path, kind: str, number: int) -> tuple[bytes, bytes, str]:
    suffix, container = (".m4s", "mp4") if kind == "fmp4" else (".ts", "mpegts")
    init = (folder / kind / "index_init.mp4").read_bytes() if kind == "fmp4" else b""
    return (folder / kind / f"index_{number:03}{suffix}").read_bytes(), init, container


@pytest.mark.parametrize("kind", ["mpegts", "fmp4", "sound"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_extent_is_what_a_demuxer_finds(folder: Path, kind: str, number: int) -> None:
    data, init, container = _segment(folder, kind, number)
    found = extent_of(data, init, container)
    assert found is not None and found.holes == ()
    with open_media(io.BytesIO(init + data)) as opened:
        times_s = [
            (float(packet.pts * packet.time_base), float(packet.duration * packet.time_base))
            for packet in packets_of(opened, opened.streams)
        ]
    # An edit list moves the tracks of an MP4 by the sound's priming samples.
    assert found.start_s == pytest.approx(min(start_s for start_s, _ in times_s), abs=0.03 if init else 0.001)
    # In MPEG-TS one time stamp may stand for several packets of sound.
    assert found.end_s == pytest.approx(max(start_s + length_s for start_s, length_s in times_s), abs=0.25)
    assert found.start_s <= found.all_from_s < found.all_to_s <= found.end_s


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_a_part_covers_less(folder: Path, kind: str) -> None:
    data, init, container = _segment(folder, kind, 1)
    whole = extent_of(data, init, container)
    half = extent_of(data[: len(data) // 2], init, container)
    assert whole is not None and half is not None
    assert half.start_s == whole.start_s
    assert half.end_s - half.start_s == pytest.approx((whole.end_s - whole.start_s) / 2, abs=0.45)


def test_what_is_missing_in_the_middle_is_a_hole(folder: Path) -> None:
    pieces = [_segment(folder, "mpegts", number)[0] for number in (0, 2)]
    extent = extent_of(b"".join(pieces), b"", "mpegts")
    assert extent is not None
    (hole,) = extent.holes
    assert (hole.start_s, hole.end_s) == pytest.approx((1.4 + 2, 1.4 + 4), abs=0.3)


def test_time_stamps_may_wrap(folder: Path) -> None:
    """The same segment, moved to just before the clock starts over, is as long as before."""
    data = bytearray(_segment(folder, "mpegts", 1)[0])
    before = extent_of(bytes(data), b"", "mpegts")
    for start in range(0, len(data), PACKET):
        payload = start + 4 + (1 + data[start + 4] if data[start + 3] & 0x20 else 0)
        if data[start + 1] & 0x40 and data[payload : payload + 3] == b"\0\0\1" and data[payload + 7] & 0x80:
            at = payload + 9
            stamp = (data[at] >> 1 & 7) << 30 | data[at + 1] << 22 | data[at + 2] >> 1 << 15
            stamp |= data[at + 3] << 7 | data[at + 4] >> 1
            stamp = (stamp + 2**33 - 90_000 * 4) % 2**33
            data[at] = data[at] & 0xF1 | (stamp >> 30) << 1
            data[at + 1], data[at + 2] = stamp >> 22 & 0xFF, (stamp >> 15 & 0x7F) << 1 | 1
            data[at + 3], data[at + 4] = stamp >> 7 & 0xFF, (stamp & 0x7F) << 1 | 1
    after = extent_of(bytes(data), b"", "mpegts")
    assert before is not None and after is not None
    assert after.end_s - after.start_s == pytest.approx(before.end_s - before.start_s, abs=0.001)


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_damaged_bytes_tell_little_but_break_nothing(folder: Path, kind: str) -> None:
    data, init, container = _segment(folder, kind, 1)
    rng = random.Random(7)
    for _ in range(100):
        damaged = bytearray(data)
        for _ in range(30):
            damaged[rng.randrange(min(len(data), 2000))] = rng.randrange(256)
        headless = bytearray(init)
        if headless:
            headless[rng.randrange(len(headless))] = rng.randrange(256)
        extent = extent_of(bytes(damaged), bytes(headless), container)
        assert extent is None or extent.start_s <= extent.end_s
    assert extent_of(b"", init, container) is None
    assert extent_of(data, init.replace(b"tkhd", b"skip"), container) is None or not init
    assert extent_of(rng.randbytes(5000), rng.randbytes(500), container) is None


def _promise(index: int = 1) -> Segment:
    return Segment(index, Span(4.0, 8.0), Resource("https://cdn.example/1.ts"), 0)


def _covers(start_s: float, end_s: float, *holes: Span) -> Extent:
    return Extent(start_s, end_s, start_s, end_s, holes)


def test_a_short_segment_lacks_media_unless_its_neighbors_touch_it() -> None:
    short = _covers(104.0, 106.0)
    assert is_suspect(_promise(), short) and not is_suspect(_promise(), _covers(104.0, 107.8))
    assert lost_parts(_promise(), short, None, None) == [Span(6, 8)]
    assert lost_parts(_promise(), short, _covers(100, 104), _covers(108, 112)) == [Span(6, 8)]
    assert lost_parts(_promise(), short, _covers(100, 104), _covers(106, 110)) == []
    assert lost_parts(_promise(), short, None, _covers(106, 110)) == []
    # Its beginning is what is missing.
    assert lost_parts(_promise(), short, _covers(98, 102), _covers(106, 110)) == [Span(4, 6)]


def test_holes_inside_are_lost_whatever_the_neighbors_say() -> None:
    extent = _covers(104.0, 108.0, Span(105, 106))
    assert lost_parts(_promise(), extent, _covers(100, 104), _covers(108, 112)) == [Span(5, 6)]


def test_holes_join_and_find_their_way() -> None:
    holes = Holes([Span(2, 4), Span(4, 6), Span(10, 12)])
    assert holes.spans == (Span(2, 6), Span(10, 12))
    holes.add(Span(8, 10))
    holes.add(Span(20, 22))
    holes.add(Span(0, 1))
    holes.add(Span(5, 5))
    assert holes.spans == (Span(0, 1), Span(2, 6), Span(8, 12), Span(20, 22))
    assert holes.at(6) is None and holes.at(8) == Span(8, 12) and holes.at(11.9) == Span(8, 12)
    assert holes.cover(Span(8, 10)) and not holes.cover(Span(7, 9)) and not holes.cover(Span(6, 8))
    assert holes.touching(Span(1, 2)) == () and holes.touching(Span(5, 9)) == (Span(2, 6), Span(8, 12))
    assert (holes.end_before(0.5), holes.end_before(8), holes.end_before(99)) == (0.0, 6.0, 22.0)
    holes.add(Span(0, 30))
    assert holes.spans == (Span(0, 30),)
