"""HLS recordings that are damaged, encrypted, refused or cut short: what is lost is said, the rest arrives."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.records import Rendition, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.probe import open_media, packets_of
from kick_clip_generator.sources.hls.reader import HlsReader
from kick_clip_generator.sources.resolve import resolve
from tests.origin import Origin, make_hls, make_media
from tests.origin.faults import Empty, First, Page, Shortened, Status
from tests.origin.media import ffmpeg

pytestmark = pytest.mark.slow

SEGMENT_S = 2.0
SEGMENTS = 12
DURATION_S = SEGMENT_S * SEGMENTS
WHOLE = Window(0, 0.0, DURATION_S, 0.0)
FILES = {"mpegts": "index_{:03}.ts", "fmp4": "index_{:03}.m4s"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hls")
    game = make_media(made / "game.mp4", duration_s=DURATION_S, size="160x90")
    make_hls(made / "mpegts", game)
    make_hls(made / "fmp4", game, "fmp4")
    return made


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as server:
        yield server


@pytest.fixture
def settings() -> Settings:
    values = {"allowed_private_hosts": "127.0.0.1", "request_timeout": 5, "max_retries": 1, "backoff_factor": 1}
    return Settings(**values)  # type: ignore[arg-type]


def _open(
    origin: Origin,
    settings: Settings,
    playlist: str = "mpegts/index.m3u8",
    renew: Callable[[], Rendition | None] | None = None,
) -> HlsReader:
    return HlsReader(Rendition(origin.url(playlist)), settings, renew=renew)


def _pieces(reader: HlsReader, folder: Path, end_s: float = DURATION_S) -> list[bytes]:
    """All that can be had up to an instant, one byte string per run, as the pipeline reads it."""
    read: list[bytes] = []
    at_s = 0.0
    while at_s < end_s:
        window = Window(0, at_s, end_s, at_s)
        target = folder / "chunk"
        try:
            reader.start(window)
            reader.fetch(window, target)
            at_s = end_s
        except SourceLost:
            raise
        except SourceError:
            at_s = next(edge for edge in [*(hole.end_s for hole in reader.holes), end_s] if edge > at_s)
        if target.exists():
            read.append(target.read_bytes())
            target.unlink()
    return read


def _lost(reader: HlsReader) -> list[tuple[float, float]]:
    return [(round(hole.start_s, 1), round(hole.end_s, 1)) for hole in reader.holes]


def _seconds(path: Path) -> float:
    """Length of the pictures in a file."""
    with open_media(path) as container:
        times_s = [frame.time for frame in container.decode(video=0)]
    return max(times_s) - min(times_s) + 0.04


@pytest.mark.parametrize(
    ("fault", "requests"), [(Status(404), 1), (Status(410), 1), (Empty(), 2), (Page(), 2), (Status(403), 2)]
)
def test_a_segment_that_is_gone_is_a_hole_and_nothing_else_is(
    origin: Origin, settings: Settings, tmp_path: Path, fault: Status, requests: int
) -> None:
    origin.inject("/mpegts/index_003.ts", fault)
    with _open(origin, settings) as reader:
        runs = _pieces(reader, tmp_path)
        assert _lost(reader) == [(6, 8)] and reader.breaks_s == (6.0, 8.0)
        sizes = [(origin.folder / "mpegts" / f"index_{n:03}.ts").stat().st_size for n in range(SEGMENTS)]
        assert [len(run) for run in runs] == [sum(sizes[:3]), sum(sizes[4:])]
        with pytest.raises(SourceError) as caught:
            reader.start(Window(0, 2, 20, 7))
        assert caught.value.outcome == "gap"
        # A lead-in does not reach over the hole.
        assert reader.start(Window(0, 4, 20, 9)) == pytest.approx(8, abs=0.05)
    # On a refusal the next one is asked for again: does everything refuse?
    asked = {n: origin.requests[f"/mpegts/index_{n:03}.ts"] for n in range(SEGMENTS) if n != 3}
    assert asked.pop(4) == (2 if fault == Status(403) else 1) and set(asked.values()) == {1}
    assert origin.requests["/mpegts/index_003.ts"] == requests


def test_a_recording_whose_beginning_is_lost_is_read_from_where_it_is_there(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    origin.inject("/mpegts/index_00[0-4].ts", Status(404))
    with _open(origin, settings) as reader:
        assert reader.info.has_video and reader.info.duration_s == pytest.approx(DURATION_S, abs=0.1)
        assert len(_pieces(reader, tmp_path)) == 1
        assert _lost(reader) == [(0, 10)] and reader.breaks_s == (10.0,)


def test_one_segment_that_never_arrives_is_a_hole_while_the_rest_of_the_network_lives(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    origin.fail("/mpegts/index_003.ts", 503)
    origin.fail("/mpegts/index_011.ts", 503)
    with _open(origin, settings) as reader:
        _pieces(reader, tmp_path)
        assert _lost(reader) == [(6, 8), (22, 24)]


def test_many_that_never_arrive_end_the_run(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    origin.inject("/mpegts/*.ts", Status(503))
    with _open(origin, settings) as reader, pytest.raises(SourceLost, match="nothing more can be had now") as caught:
        _pieces(reader, tmp_path)
    assert (caught.value.outcome, caught.value.retryable) == ("server", True)


def test_a_dead_network_ends_the_run_at_the_first_segment(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    with _open(origin, settings) as reader:
        reader.start(Window(0, 0, 4, 0))
        origin.inject("/*", Status(503))
        with pytest.raises(SourceLost):
            reader.fetch(WHOLE, tmp_path / "chunk")
        # What came before is there to be used, and no hole is noted: the same command goes on from here.
        assert (tmp_path / "chunk").stat().st_size > 0
        assert reader.holes == ()


def test_addresses_that_expire_are_renewed_and_nothing_is_lost(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    signed = origin.sign("/mpegts/index.m3u8", after=5)
    renewed: list[Rendition] = []

    def renew() -> Rendition:
        renewed.append(Rendition(origin.url("mpegts/index.m3u8?again")))
        return renewed[-1]

    with _open(origin, settings, renew=renew) as reader:
        (run,) = _pieces(reader, tmp_path)
        assert reader.holes == ()
    assert len(run) == sum((origin.folder / "mpegts" / f"index_{n:03}.ts").stat().st_size for n in range(SEGMENTS))
    assert 2 <= len(renewed) <= 3 and signed.issued == len(renewed) + 1


def test_addresses_that_are_not_found_any_more_are_renewed_too(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    """One is gone: it costs nothing more. All are gone, from one on: they are looked up again."""
    origin.inject("/mpegts/index_003.ts", Status(404))
    origin.inject("/mpegts/index_00[7-9].ts", Status(404))
    origin.inject("/mpegts/index_01?.ts", Status(404))
    for n in range(SEGMENTS):
        origin.page(f"/mpegts/new/index_{n:03}.ts", (origin.folder / "mpegts" / f"index_{n:03}.ts").read_bytes())
    origin.page("/mpegts/new/index.m3u8", (origin.folder / "mpegts" / "index.m3u8").read_bytes())
    renewals = [Rendition(origin.url("mpegts/new/index.m3u8"))]
    with _open(origin, settings, renew=lambda: renewals.pop() if renewals else None) as reader:
        _pieces(reader, tmp_path)
        assert _lost(reader) == [(6, 8)] and not renewals


@pytest.mark.parametrize("answers", [None, "nothing new"])
def test_without_new_addresses_a_refusal_ends_the_run(
    origin: Origin, settings: Settings, tmp_path: Path, answers: str | None
) -> None:
    origin.sign("/mpegts/index.m3u8", after=5)
    with (
        _open(origin, settings, renew=None if answers is None else lambda: None) as reader,
        pytest.raises(SourceLost) as caught,
    ):
        _pieces(reader, tmp_path)
    assert (caught.value.outcome, caught.value.retryable) == ("blocked", True)
    assert "token" not in str(caught.value)


def test_a_playlist_that_has_expired_is_renewed_and_one_that_changed_is_not_mixed_in(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    origin.fail("/mpegts/index.m3u8", 403)
    renewals = [Rendition(origin.url("fmp4/index.m3u8")), Rendition(origin.url("short.m3u8"))]
    origin.page("/short.m3u8", b"#EXTM3U\n#EXTINF:2,\nmpegts/index_000.ts\n#EXT-X-ENDLIST\n")
    with _open(origin, settings, renew=lambda: renewals.pop(0)) as reader:
        assert reader.container == "mp4"
        origin.inject("/fmp4/index_00[4-9].m4s", Status(403))
        with pytest.raises(SourceLost) as caught:
            _pieces(reader, tmp_path)
        assert caught.value.outcome == "changed"


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_a_segment_that_was_cut_short_in_silence_is_fetched_again(
    origin: Origin, settings: Settings, tmp_path: Path, kind: str
) -> None:
    name = f"/{kind}/{FILES[kind].format(5)}"
    with _open(origin, settings, f"{kind}/index.m3u8") as reader:
        whole = _pieces(reader, tmp_path)
    origin.forget()
    origin.inject(name, First(1, Shortened(0.4)))
    with _open(origin, settings, f"{kind}/index.m3u8") as reader:
        assert _pieces(reader, tmp_path) == whole
        assert reader.holes == ()
    assert origin.requests[name] == 2


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
@pytest.mark.parametrize("number", [5, SEGMENTS - 1])
def test_what_a_segment_does_not_hold_is_a_hole(
    origin: Origin, settings: Settings, tmp_path: Path, kind: str, number: int
) -> None:
    name = f"/{kind}/{FILES[kind].format(number)}"
    origin.inject(name, Shortened(0.4))
    with _open(origin, settings, f"{kind}/index.m3u8") as reader:
        runs = _pieces(reader, tmp_path)
        (hole,) = reader.holes
        assert hole.end_s == pytest.approx((number + 1) * SEGMENT_S)
        assert hole.duration_s == pytest.approx(0.6 * SEGMENT_S, abs=0.45)
        assert len(runs) == (2 if number == 5 else 1)
        # Read again, as the lead-in of another batch is: known, so not fetched again.
        before = origin.requests[name]
        _pieces(reader, tmp_path)
    assert before == 2 and origin.requests[name] <= 3


def test_round_lengths_in_the_playlist_are_no_loss(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    text = (origin.folder / "mpegts" / "index.m3u8").read_text()
    origin.page("/mpegts/round.m3u8", re.sub(r"#EXTINF:[\d.]+", "#EXTINF:3", text).encode())
    with _open(origin, settings, "mpegts/round.m3u8") as reader:
        assert len(_pieces(reader, tmp_path, end_s=33.0)) == 1
        assert reader.holes == ()


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_encrypted_segments_are_read_like_plain_ones(
    origin: Origin, settings: Settings, tmp_path: Path, kind: str
) -> None:
    secrets = {"k1": bytes(range(16)), "k2": bytes(range(16, 32))}
    vector = bytes(15) + b"\x07"
    for name, secret in secrets.items():
        origin.page(f"/{kind}/{name}", secret)

    def seal(name: str, secret: bytes, iv: bytes) -> None:
        plain = (origin.folder / kind / name).read_bytes()
        origin.page(f"/{kind}/sealed/{name}", AES.new(secret, AES.MODE_CBC, iv=iv).encrypt(pad(plain, 16)))

    lines = []
    number = 0
    for line in (origin.folder / kind / "index.m3u8").read_text().splitlines():
        if line.startswith("#EXTINF") and number == 0:
            lines.append("#EXT-X-MEDIA-SEQUENCE:100")
        if line.startswith("#EXT-X-MAP"):
            lines.append('#EXT-X-KEY:METHOD=AES-128,URI="../k1",IV=0x07')
            line = line.replace('URI="', 'URI="./')
            seal("index_init.mp4", secrets["k1"], vector)
        elif line.startswith("#EXTINF") and number in (0, 6):
            # The first key comes with a vector, the second goes by the segments' numbers.
            lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="../k{1 if number == 0 else 2}"{",IV=0x07" * (number == 0)}')
        elif line.startswith("index_"):
            first = number < 6
            seal(line, secrets["k1" if first else "k2"], vector if first else (100 + number).to_bytes(16, "big"))
            number += 1
        lines.append(line)
    origin.page(f"/{kind}/sealed/index.m3u8", "\n".join(lines).encode())
    with _open(origin, settings, f"{kind}/index.m3u8") as reader:
        plain = _pieces(reader, tmp_path)
    with _open(origin, settings, f"{kind}/sealed/index.m3u8") as reader:
        assert _pieces(reader, tmp_path) == plain
        assert reader.info.has_audio and reader.info.has_video
    assert origin.requests[f"/{kind}/k1"] == origin.requests[f"/{kind}/k2"] == 1


@pytest.mark.parametrize("tagged", [True, False])
def test_packed_audio_is_read_as_a_transport_stream(
    origin: Origin, settings: Settings, tmp_path: Path, tagged: bool
) -> None:
    ffmpeg("-i", origin.folder / "game.mp4", "-vn", "-c:a", "copy", tmp_path / "game.aac")
    frames = _adts_frames((tmp_path / "game.aac").read_bytes())
    lines = ["#EXTM3U"]
    for number, first in enumerate(range(0, len(frames), 100)):
        start_s = first * 1024 / 44100
        owner = b"com.apple.streaming.transportStreamTimestamp\0" + round((50 + start_s) * 90000).to_bytes(8, "big")
        tag = b"PRIV" + len(owner).to_bytes(4, "big") + bytes(2) + owner
        tag = b"ID3\x04\0\0" + len(tag).to_bytes(4, "big") + tag
        origin.page(f"/packed/{number}.aac", tag * tagged + b"".join(frames[first : first + 100]))
        lines += [f"#EXTINF:{len(frames[first : first + 100]) * 1024 / 44100:.5f},", f"{number}.aac"]
    origin.page("/packed/index.m3u8", "\n".join([*lines, "#EXT-X-ENDLIST"]).encode())
    (tmp_path / "game.aac").unlink()
    with _open(origin, settings, "packed/index.m3u8") as reader:
        (run,) = _pieces(reader, tmp_path)
        assert (reader.container, reader.info.has_audio, reader.info.has_video) == ("mpegts", True, False)
    with open_media(io.BytesIO(run)) as container:
        times_s = [float(packet.pts * packet.time_base) for packet in packets_of(container, container.streams.audio)]
    assert len(times_s) == len(frames)
    assert times_s[0] == pytest.approx(50 if tagged else 0, abs=0.001)
    assert all(after - before == pytest.approx(1024 / 44100, abs=0.0001) for before, after in pairwise(times_s))


def _adts_frames(data: bytes) -> list[bytes]:
    frames = []
    while data:
        size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
        frames.append(data[:size])
        data = data[size:]
    return frames


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xf1" + bytes(999),
        b"\xff\xfb" + bytes(range(256)) * 9,
        b"\x0b\x77" + b"x" * 999,
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
    ],
)
def test_noise_that_begins_like_packed_audio_is_no_media(origin: Origin, settings: Settings, data: bytes) -> None:
    origin.page("/noise.m3u8", b"#EXTM3U\n#EXTINF:2,\nnoise\n#EXT-X-ENDLIST\n")
    origin.page("/noise", data)
    with _open(origin, settings, "noise.m3u8") as reader, pytest.raises(SourceError):
        reader.start(WHOLE)


@pytest.mark.parametrize("key", [b"short", bytes(16), None])
def test_a_key_that_does_not_fit_opens_nothing(origin: Origin, settings: Settings, key: bytes | None) -> None:
    text = (origin.folder / "mpegts" / "index.m3u8").read_text()
    sealed = text.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="key?secret=1"\n#EXTINF', 1)
    origin.page("/mpegts/sealed.m3u8", sealed.encode())
    if key is not None:
        origin.page("/mpegts/key", key)
    with _open(origin, settings, "mpegts/sealed.m3u8") as reader:
        with pytest.raises(SourceError) as caught:
            reader.info  # noqa: B018 - the look is what fails
        assert "secret" not in str(caught.value)


def test_spans_fetch_the_segments_that_they_touch_and_none_twice(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    with _open(origin, settings) as reader:
        for span in (Span(8.5, 13.5), Span(12.5, 15.5)):
            media = reader.span(span, tmp_path)
            assert media.offset_s <= span.start_s
            assert media.offset_s == pytest.approx(span.start_s // SEGMENT_S * SEGMENT_S, abs=0.05)
            assert media.offset_s + _seconds(media.path) >= span.end_s
        # Nor does it need another one to know what it is.
        assert reader.info.has_video and reader.container == "mpegts"
    assert {path[-6:-3]: count for path, count in origin.requests.items() if path.endswith(".ts")} == {
        f"{n:03}": 1 for n in (4, 5, 6, 7)
    }


def test_a_span_takes_the_neighbor_where_its_own_media_begin_too_late(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    with _open(origin, settings) as reader:
        media = reader.span(Span(10.0, 11.0), tmp_path)
        assert media.offset_s <= 10.0
    # Pictures begin at the edge, sound beside it.
    assert {path[-6:-3] for path in origin.requests if path.endswith(".ts")} <= {"004", "005"}


def test_a_span_with_a_hole_is_what_is_whole_of_it(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    origin.fail("/mpegts/index_006.ts", 404)
    with _open(origin, settings) as reader:
        media = reader.span(Span(5, 15), tmp_path)
        assert (media.offset_s, media.end_s) == (pytest.approx(4, abs=0.05), pytest.approx(12))
        assert _seconds(media.path) == pytest.approx(8, abs=0.2)
        assert list(tmp_path.iterdir()) == [media.path]
        with pytest.raises(SourceError) as caught:
            reader.span(Span(12.5, 13.5), tmp_path)
        assert caught.value.outcome == "gap"
    assert origin.requests["/mpegts/index_006.ts"] == 1


def test_a_master_lists_what_can_be_read_and_leaves_out_what_cannot(origin: Origin, settings: Settings) -> None:
    lines = ["#EXTM3U"]
    for height, name in ((160, "gone"), (360, "mpegts/index"), (720, "fmp4/index"), (1080, "refused")):
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={height},RESOLUTION=99x{height}", f"{name}.m3u8?sig=1"]
    origin.page("/master.m3u8", "\n".join(lines).encode())
    origin.fail("/refused.m3u8", 403)
    source = resolve(origin.url("master.m3u8?sig=2"), settings)
    assert [rendition.height_px for rendition in source.renditions] == [360, 720]
    assert (source.provider, source.live, source.duration_s) == ("hls", False, pytest.approx(DURATION_S, abs=0.1))
    assert source.link.endswith("sig=2") and "sig" not in repr(source)
    # The same tomorrow, when another quality can be read and the signature is another.
    origin.fail("/mpegts/index.m3u8", 404)
    assert resolve(origin.url("master.m3u8?sig=3"), settings).fingerprint == source.fingerprint
    origin.fail("/fmp4/index.m3u8", 404)
    with pytest.raises(SourceError) as caught:
        resolve(origin.url("master.m3u8"), settings)
    assert caught.value.outcome == "not_found"


def test_sound_that_cannot_be_had_is_replaced_by_other_sound(origin: Origin, settings: Settings) -> None:
    lines = ["#EXTM3U"]
    for default, name in (("YES", "gone"), ("NO", "mpegts/index")):
        lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{name}",DEFAULT={default},URI="{name}.m3u8"')
    lines += ['#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x360,AUDIO="a"', "fmp4/index.m3u8"]
    origin.page("/master.m3u8", "\n".join(lines).encode())
    sound, picture = resolve(origin.url("master.m3u8"), settings).renditions
    assert sound.url == picture.audio_url == origin.url("mpegts/index.m3u8")


def test_a_playlist_that_is_not_ended_is_a_live_stream(origin: Origin, settings: Settings) -> None:
    text = (origin.folder / "mpegts" / "index.m3u8").read_text()
    growing = text.replace("#EXT-X-ENDLIST", "").replace("#EXT-X-PLAYLIST-TYPE:VOD\n", "")
    origin.page("/mpegts/live.m3u8", growing.encode())
    origin.page("/mpegts/soon.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n")
    source = resolve(origin.url("mpegts/live.m3u8"), settings)
    assert source.live and source.duration_s != source.duration_s
    assert resolve(origin.url("mpegts/live.m3u8"), settings).fingerprint != source.fingerprint
    with pytest.raises(SourceError) as caught:
        resolve(origin.url("mpegts/soon.m3u8"), settings)
    assert caught.value.outcome == "offline"
