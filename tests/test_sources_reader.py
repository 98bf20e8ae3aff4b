"""One suite over all readers: whatever a source is made of, its windows arrive whole, once, and at the right time."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import pytest

from kick_clip_generator.core.errors import Cancelled, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Source, Span, Window, plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.reader import Reader, open_reader
from kick_clip_generator.sources.resolve import resolve
from tests.origin import Origin, make_hls, make_media

pytestmark = pytest.mark.slow

DURATION_S = 24.0
FRAME_S = 1 / 25
KINDS = ("file", "http", "webm", "mpegts", "fmp4", "byterange")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("origin")
    game = make_media(made / "game.mp4", duration_s=DURATION_S, size="160x90")
    make_media(made / "game.webm", duration_s=DURATION_S, size="160x90")
    make_hls(made / "mpegts", game)
    make_hls(made / "fmp4", game, "fmp4")
    _into_one_file(made / "mpegts", made / "byterange")
    return made


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as server:
        yield server


@pytest.fixture
def settings() -> Settings:
    values = {"allowed_private_hosts": "127.0.0.1", "request_timeout": 5, "max_retries": 1, "backoff_factor": 1}
    return Settings(**values)  # type: ignore[arg-type]


@pytest.fixture(params=KINDS)
def reader(request: pytest.FixtureRequest, origin: Origin, settings: Settings) -> Iterator[Reader]:
    source = _source(request.param, origin, settings)
    with open_reader(source, source.renditions[-1], settings) as opened:
        yield opened


def _source(kind: str, origin: Origin, settings: Settings) -> Source:
    if kind == "file":
        return resolve(str(origin.folder / "game.mp4"), settings)
    return resolve(origin.url({"http": "game.mp4", "webm": "game.webm"}.get(kind, f"{kind}/index.m3u8")), settings)


def _into_one_file(hls: Path, target: Path) -> None:
    """The same recording with all its segments in one file, without an extension, as byte ranges."""
    target.mkdir()
    lines = []
    data = b""
    for line in (hls / "index.m3u8").read_text().splitlines():
        if not line.endswith(".ts"):
            lines.append(line)
            continue
        segment = (hls / line).read_bytes()
        lines += [f"#EXT-X-BYTERANGE:{len(segment)}@{len(data)}", "all?sig=1"]
        data += segment
    (target / "index.m3u8").write_text("\n".join(lines))
    (target / "all").write_bytes(data)


def _windows(start_s: float = 0.0, end_s: float = DURATION_S) -> list[Window]:
    return plan_windows(start_s, end_s, length_s=10, overlap_s=5)


def _run(reader: Reader, windows: Sequence[Window], folder: Path) -> tuple[float, bytes]:
    """Offset and bytes of one run."""
    offset_s = reader.start(windows[0])
    data = b""
    for window in windows:
        target = folder / f"{window.n}.chunk"
        assert reader.fetch(window, target) == target.stat().st_size
        data += target.read_bytes()
        target.unlink()
    assert not list(folder.iterdir())
    return offset_s, data


def _pictures(data: bytes, offset_s: float) -> list[float]:
    """Absolute times of the pictures of a byte stream whose container starts at `offset_s`."""
    with av.open(io.BytesIO(data)) as container:
        streams = [stream for stream in container.streams if stream.start_time is not None]
        start_s = min(float(stream.start_time * stream.time_base) for stream in streams)
        return sorted(frame.time - start_s + offset_s for frame in container.decode(video=0))


def test_a_reader_knows_what_it_reads(reader: Reader) -> None:
    assert reader.info.has_audio and reader.info.has_video
    assert reader.info.duration_s == pytest.approx(DURATION_S, abs=0.1)
    assert reader.breaks_s == ()


def test_windows_hold_every_picture_once(reader: Reader, tmp_path: Path) -> None:
    offset_s, data = _run(reader, _windows(), tmp_path)
    times = _pictures(data, offset_s)
    # Priming samples may lie before the start.
    assert offset_s == pytest.approx(0, abs=0.05)
    assert len(times) == round(DURATION_S / FRAME_S)
    # The first picture may come after the sound's priming samples.
    assert times[0] == pytest.approx(0, abs=2 * FRAME_S)
    assert all(after - before == pytest.approx(FRAME_S, abs=0.002) for before, after in itertools.pairwise(times))


def test_a_run_from_the_middle_agrees_with_the_whole(reader: Reader, tmp_path: Path) -> None:
    whole = _pictures(*reversed(_run(reader, _windows(), tmp_path)))
    for start_s in (5.0, 12.5):
        windows = _windows(start_s)
        offset_s, data = _run(reader, windows, tmp_path)
        assert offset_s <= windows[0].start_s
        for time_s in _pictures(data, offset_s):
            assert min(abs(time_s - other) for other in whole) < 0.0015


def test_a_span_covers_what_is_cut(reader: Reader, tmp_path: Path) -> None:
    for span in (Span(0, 3), Span(7.3, 12.1), Span(20, DURATION_S)):
        media = reader.span(span, tmp_path)
        times = _pictures(media.path.read_bytes(), media.offset_s)
        assert media.offset_s <= span.start_s + 1e-6 and times[0] <= span.start_s + 2 * FRAME_S
        assert times[-1] >= span.end_s - 2 * FRAME_S
        assert media.temporary == (media.path.parent == tmp_path)
        if media.temporary:
            # Not the whole recording for a few seconds of it.
            assert times[-1] - times[0] < span.duration_s + 8
            media.path.unlink()
    assert not list(tmp_path.iterdir())


def test_a_span_in_the_middle_of_a_run_does_not_disturb_it(reader: Reader, tmp_path: Path) -> None:
    windows = _windows()
    _, whole = _run(reader, windows, tmp_path)
    reader.start(windows[0])
    data = b""
    for window in windows:
        reader.fetch(window, tmp_path / "chunk")
        data += (tmp_path / "chunk").read_bytes()
        (tmp_path / "span").mkdir(exist_ok=True)
        reader.span(Span(3, 5), tmp_path / "span")
    assert data == whole


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_each_segment_is_fetched_once(kind: str, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = _source(kind, origin, settings)
    with open_reader(source, source.renditions[-1], settings) as reader:
        _run(reader, _windows(), tmp_path)
    segments = {path: count for path, count in origin.requests.items() if path.endswith((".ts", ".m4s"))}
    assert len(segments) == DURATION_S / 2
    assert set(segments.values()) == {1}


def test_a_failing_segment_ends_the_run_and_the_next_begins_behind_it(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    origin.fail("/mpegts/index_003.ts", 404)
    windows = _windows()
    source = _source("mpegts", origin, settings)
    with open_reader(source, source.renditions[-1], settings) as reader:
        assert reader.start(windows[0]) == 0
        with pytest.raises(SourceError) as caught:
            reader.fetch(windows[0], tmp_path / "chunk")
        assert caught.value.outcome == "gap"
        (hole,) = reader.holes
        assert (hole.start_s, hole.end_s) == pytest.approx((6, 8)) and set(reader.breaks_s) == {6.0, 8.0}
        # What came before is kept: three segments of 2 s.
        assert _pictures((tmp_path / "chunk").read_bytes(), 0)[-1] == pytest.approx(6, abs=0.1)
        with pytest.raises(SourceError):
            reader.fetch(windows[1], tmp_path / "chunk")
        assert reader.start(Window(9, 7.0, 20.0, 9.0)) == pytest.approx(8, abs=0.05)
        assert reader.fetch(windows[1], tmp_path / "chunk") > 0
    assert origin.requests["/mpegts/index_003.ts"] == 1


def test_a_truncated_segment_is_fetched_again(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = _source("mpegts", origin, settings)
    with open_reader(source, source.renditions[-1], settings) as reader:
        _, whole = _run(reader, _windows(), tmp_path)
    origin.truncate("/mpegts/index_005.ts", times=1)
    with open_reader(source, source.renditions[-1], settings) as reader:
        assert _run(reader, _windows(), tmp_path)[1] == whole


def test_a_page_instead_of_a_segment_is_no_media(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    origin.page("/mpegts/index_002.ts", b"<!doctype html><html>Gone</html>")
    source = _source("mpegts", origin, settings)
    with open_reader(source, source.renditions[-1], settings) as reader:
        reader.start(_windows()[0])
        with pytest.raises(SourceError, match="web page"):
            reader.fetch(_windows()[0], tmp_path / "chunk")


def test_no_run_crosses_a_discontinuity(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    text = (origin.folder / "mpegts" / "index.m3u8").read_text()
    parts = text.split("#EXTINF")
    broken = "#EXTINF".join([*parts[:6], parts[6] + "#EXT-X-DISCONTINUITY\n", *parts[7:]])
    origin.page("/mpegts/broken.m3u8", broken.encode())
    source = resolve(origin.url("mpegts/broken.m3u8"), settings)
    with open_reader(source, source.renditions[-1], settings) as reader:
        (break_s,) = reader.breaks_s
        assert break_s == pytest.approx(12, abs=0.1)
        reader.start(Window(0, 5, 15, 10))
        with pytest.raises(SourceError) as caught:
            reader.fetch(Window(0, 5, 15, 10), tmp_path / "chunk")
        assert caught.value.outcome == "discontinuity"
        # In two runs it is read whole.
        for window in (Window(0, 5, break_s, 10), Window(0, break_s, 15, break_s)):
            assert reader.start(window) == pytest.approx(4 if window.start_s == 5 else break_s, abs=0.05)
            assert reader.fetch(window, tmp_path / "chunk") > 0
        # A lead-in beyond the break is left away.
        assert reader.start(Window(0, 10, 20, 15)) == pytest.approx(break_s, abs=0.05)
        media = reader.span(Span(11, 20), tmp_path)
        assert media.offset_s == pytest.approx(break_s, abs=0.05)
        assert reader.span(Span(4, 13), tmp_path).end_s == pytest.approx(break_s)


def test_a_dropped_connection_is_resumed_in_a_file(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = _source("http", origin, settings)
    with open_reader(source, source.renditions[-1], settings) as reader:
        origin.truncate("/game.mp4", times=1)
        assert len(_pictures(*reversed(_run(reader, _windows(), tmp_path)))) == round(DURATION_S / FRAME_S)


def test_a_full_disk_or_lost_folder_is_no_fault_of_the_source(reader: Reader, tmp_path: Path) -> None:
    windows = _windows()
    reader.start(windows[0])
    with pytest.raises(Exception, match="TEMP_DIR") as caught:
        reader.fetch(windows[0], tmp_path / "nowhere" / "chunk")
    assert not isinstance(caught.value, SourceError)


@pytest.mark.timeout(20)
def test_cancel_ends_a_fetch(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = _source("mpegts", origin, settings)
    origin.slow("/mpegts/index_003.ts", 60)
    cancel = CancelToken()
    with open_reader(source, source.renditions[-1], settings, cancel) as reader:
        reader.start(_windows()[0])
        threading.Timer(0.3, cancel.cancel).start()
        with pytest.raises(Cancelled):
            reader.fetch(_windows()[0], tmp_path / "chunk")
    assert not list(tmp_path.iterdir())


def test_a_source_that_is_gone_cannot_be_opened(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    gone = [
        Source(origin.url("x.mp4"), "http", "x", 1.0, "f", (Rendition(origin.url("x.mp4")),)),
        Source(origin.url("x.m3u8"), "hls", "x", 1.0, "f", (Rendition(origin.url("x.m3u8")),)),
        Source("x.mp4", "file", "x", 1.0, "f", (Rendition(str(tmp_path / "x.mp4")),)),
    ]
    for source in gone:
        with pytest.raises(SourceError):
            open_reader(source, source.renditions[-1], settings)
