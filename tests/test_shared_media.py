"""Clips that share media: each segment, and each stretch of a file, is fetched once, however the clips lie."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kick_clip_generator.core.records import Rendition, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.probe import probe
from kick_clip_generator.sources import range_file
from kick_clip_generator.sources.file_reader import HttpReader
from kick_clip_generator.sources.hls.reader import HlsReader
from kick_clip_generator.sources.hls.segments import KEPT_SEGMENTS
from kick_clip_generator.sources.kept import Kept
from kick_clip_generator.sources.reader import Reader
from kick_clip_generator.sources.resolve import resolve
from kick_clip_generator.sources.tracks import Tracks, open_tracks
from tests.origin import Origin, make_hls, make_media

pytestmark = pytest.mark.slow

LENGTH_S = 60.0
SEGMENT_S = 1.0
CLIPS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shared")
    game = make_media(made / "game.mp4", duration_s=LENGTH_S, size="160x90")
    make_hls(made / "ts", game, segment_s=SEGMENT_S)
    make_hls(made / "apart", game, "fmp4", renditions=["90p"], segment_s=SEGMENT_S, separate_audio=True)
    return made


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as server:
        yield server


@pytest.fixture
def settings() -> Settings:
    return Settings(allowed_private_hosts="127.0.0.1", request_timeout=5, max_retries=1)


def spans() -> list[Span]:
    """Twenty in the order of a ranking: near and far, overlapping, beside each other, one inside another."""
    numbers = random.Random(6)
    found = [
        Span(start_s, start_s + numbers.uniform(2, 12)) for start_s in (numbers.uniform(0.5, 45) for _ in range(CLIPS))
    ]
    found[3] = Span(found[0].end_s, found[0].end_s + 3)
    found[-1] = Span(found[0].start_s, found[0].end_s)
    return found


def cut_all(reader: Reader | Tracks, wanted: Sequence[Span], temp: Path) -> int:
    """Ask for all spans as the pipeline does; the most bytes that were kept meanwhile."""
    most = 0
    for place, span in enumerate(wanted):
        media = reader.span(span, temp, wanted[place + 1 :])
        assert media.offset_s <= span.start_s + 1e-6 and min(media.end_s, LENGTH_S) >= span.end_s - 0.05
        assert media.offset_s + probe(media.path).duration_s >= span.end_s - 0.05
        media.path.unlink()
        most = max(most, sum(file.stat().st_size for file in temp.glob("kept_*/*")))
    return most


def touched(span: Span) -> set[int]:
    return set(range(int(span.start_s // SEGMENT_S), math.ceil(span.end_s / SEGMENT_S)))


def test_twenty_clips_fetch_each_segment_once(origin: Origin, settings: Settings, tmp_path: Path, folder: Path) -> None:
    wanted = spans()
    needed = set[int]().union(*map(touched, wanted))
    assert len(needed) > 2 * KEPT_SEGMENTS, "memory alone must not be enough"
    with HlsReader(Rendition(origin.url("ts/index.m3u8")), settings) as reader:
        assert cut_all(reader, wanted, tmp_path) > 0
    asked = {path: count for path, count in origin.requests.items() if path.endswith(".ts")}
    assert set(asked.values()) == {1}
    fetched = {int(path[-6:-3]) for path in asked}
    # Sound is cut a little beside the pictures, so a start at an edge takes the neighbor.
    assert needed <= fetched and len(fetched - needed) <= 2
    size = sum((folder / "ts" / f"index_{n:03}.ts").stat().st_size for n in fetched)
    assert sum(origin.bytes_sent[path] for path in asked) <= 1.02 * size
    assert not list(tmp_path.iterdir()), "nothing is left"


def test_sound_that_lies_apart_is_fetched_once_too(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = resolve(origin.url("apart/master.m3u8"), settings)
    origin.forget()
    with open_tracks(source, source.renditions[-1], settings) as tracks:
        cut_all(tracks, spans()[:8], tmp_path)
    asked = {path: count for path, count in origin.requests.items() if path.endswith(".m4s")}
    assert set(asked.values()) == {1} and {path.split("/")[-1][:5] for path in asked} == {"90p_0", "sound"}
    assert not list(tmp_path.iterdir())


def test_what_no_other_clip_needs_is_not_kept(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    with HlsReader(Rendition(origin.url("ts/index.m3u8")), settings) as reader:
        assert cut_all(reader, [Span(1, 10), Span(20.5, 30), Span(40.5, 50)], tmp_path) == 0


def test_a_hole_in_a_long_clip_fetches_nothing_twice(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    origin.fail("/ts/index_040.ts", 404)
    with HlsReader(Rendition(origin.url("ts/index.m3u8")), settings) as reader:
        media = reader.span(Span(1.5, 50), tmp_path)
        assert media.end_s == pytest.approx(40)
    assert max(count for path, count in origin.requests.items() if path.endswith(".ts")) == 1


def test_a_disk_that_refuses_costs_requests_alone(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    wanted = [Span(1, 10), Span(12, 45), Span(1, 10)]
    with HlsReader(Rendition(origin.url("ts/index.m3u8")), settings) as reader:
        for place, span in enumerate(wanted):
            media = reader.span(span, tmp_path, wanted[place + 1 :])
            for kept in tmp_path.glob("kept_*/*"):
                kept.write_bytes(b"")
            assert media.offset_s + probe(media.path).duration_s >= span.end_s
    assert origin.requests["/ts/index_005.ts"] == 2


def test_clips_of_one_file_share_what_they_read(
    origin: Origin, settings: Settings, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_file, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(range_file, "CACHED_BLOCKS", 20)
    size = (folder / "game.mp4").stat().st_size
    wanted = [Span(2, 20), Span(30, 45), Span(3, 18), Span(40, 55), Span(2.5, 19)]

    def read(later: bool) -> int:
        origin.forget()
        with HttpReader(Rendition(origin.url("game.mp4")), settings) as reader:
            for place, span in enumerate(wanted):
                reader.span(span, tmp_path, wanted[place + 1 :] if later else ()).path.unlink()
        return origin.bytes_sent.total()

    assert read(later=False) > 1.3 * size
    assert read(later=True) < 1.1 * size
    assert not list(tmp_path.iterdir())


def test_the_oldest_go_when_there_is_no_more_room(tmp_path: Path) -> None:
    kept = Kept(tmp_path, most_bytes=10)
    for number in range(4):
        kept.put(number, bytes([number]) * 4)
    kept.put(9, bytes(11))
    assert [kept.get(number) for number in (0, 1, 2, 3, 9)] == [None, None, b"\2" * 4, b"\3" * 4, None]
    kept.only([3])
    assert (2 in kept, 3 in kept) == (False, True)
    kept.close()
    assert not list(tmp_path.iterdir())
    nowhere = Kept(tmp_path / "gone")
    nowhere.put(1, b"1")
    assert nowhere.get(1) is None
