"""Laws of copying packets: any file reads like a stream, from any time, with the same bits at the same ticks."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.timeline import first_tick_at
from kick_clip_generator.media.decode import DecodeRun
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.probe import open_media, probe
from kick_clip_generator.media.remux import Remuxer

FFMPEG = ffmpeg_path(None)
DURATION_S = 12


def ffmpeg(*args: str | Path) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *map(str, args)], check=True)


def sources(rate: int = 48000, fps: str = "30") -> list[str]:
    sound = f"aevalsrc='0.3*sin(2*PI*t*(200+30*t))+0.05*random(0)|0.3*sin(2*PI*t*(200+31*t))':s={rate}"
    picture = f"testsrc2=s=64x36:r={fps}"
    return ["-t", str(DURATION_S), "-f", "lavfi", "-i", picture, "-t", str(DURATION_S), "-f", "lavfi", "-i", sound]


H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "60", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
# Without the noise that ffmpeg's AAC encoder leaves for the decoder to make up.
AAC = ["-c:a", "aac", "-b:a", "96k", "-aac_pns", "0"]
FRAGMENTS = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"]

RECIPES: dict[str, list[str]] = {
    "mp4 with its index last": [*sources(), *H264, *AAC, "a.mp4"],
    "mp4 with its index first": [*sources(44100, "30000/1001"), *H264, *AAC, "-movflags", "faststart", "a.mp4"],
    "fragmented mp4": [*sources(), *H264, *AAC, *FRAGMENTS, "a.mp4"],
    "mpeg-ts": [*sources(44100), *H264, *AAC, "a.ts"],
    "mkv": [*sources(), *H264, *AAC, "a.mkv"],
    "webm": [
        *sources(),
        "-c:v",
        "libvpx",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-g",
        "60",
        "-c:a",
        "libopus",
        "a.webm",
    ],
    "mp3 in mp4": [*sources(44100), *H264, "-c:a", "mp3", "a.mp4"],
    "wav": [*sources()[6:], "a.wav"],
    "flac": [*sources()[6:], "a.flac"],
    "mp3": [*sources(44100)[6:], "a.mp3"],
    "pictures only": [*sources()[:6], *H264, "a.mp4"],
}
SLOW = {"fragmented mp4", "flac", "mpeg-ts", "webm"}


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    *args, name = RECIPES[request.param]
    ffmpeg(*args, tmp_path / name)
    return tmp_path / name


def chunks(remuxer: Remuxer, step_s: float) -> Iterator[bytes]:
    until_s = 0.0
    while until_s < 50.0:
        until_s += step_s
        yield remuxer.chunk(until_s)


def decode(remuxer: Remuxer, time_s: float, *, step_s: float = 5.0) -> tuple[float, int, np.ndarray, np.ndarray]:
    """(offset, first tick, samples, frames) of a run that is asked for at a time."""
    offset_s = remuxer.start(time_s)
    first = first_tick_at(max(offset_s, 0.0))
    with DecodeRun(FFMPEG, container=remuxer.container, offset_s=offset_s, first_tick=first, stall_s=20) as run:
        for data in chunks(remuxer, step_s):
            run.feed(data)
        run.close_input()
        block = run.read(40)
    return offset_s, first, block.pcm, block.frames


def packets(file: Path | io.BytesIO, kind: str) -> list[bytes]:
    with open_media(file) as opened:
        return [bytes(packet) for packet in opened.demux(opened.streams.get({kind: 0})) if packet.size]


@pytest.mark.parametrize("made", ["mp3 in mp4", "mp4 with its index first", "webm"], indirect=True)
def test_no_packet_is_changed(made: Path) -> None:
    with made.open("rb") as file:
        remuxer = Remuxer(file)
        remuxer.start(0.0)
        copy = remuxer.chunk(100.0)
    for kind in ("audio", "video"):
        assert packets(io.BytesIO(copy), kind) == packets(made, kind)


@pytest.mark.parametrize(
    "made",
    [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in RECIPES],
    indirect=True,
)
def test_a_run_from_the_middle_gives_the_bits_of_the_whole(made: Path) -> None:
    with made.open("rb") as file:
        remuxer = Remuxer(file)
        assert repr(remuxer.info) == repr(probe(made))  # sound alone has no frame rate, and NaN is not NaN
        offset_s, first, pcm, frames = decode(remuxer, 0.0)
        assert -0.1 < offset_s <= 1e-6 and first == 0
        # The sound of an MP3 in MP4 ends 25 ms early, and a tick that is not whole is left out.
        assert len(pcm) == pytest.approx(DURATION_S * 16000 if remuxer.info.has_audio else 0, abs=8000)
        assert len(frames) == (DURATION_S * 4 if remuxer.info.has_video else 0)
        for time_s in (3.0, 7.3):
            offset_s, first, late_pcm, late_frames = decode(remuxer, time_s, step_s=3.0)
            assert time_s - 5 < offset_s <= time_s and first > 0
            settled = first + 2
            assert np.array_equal(late_frames[4:], frames[settled * 2 :])
            assert np.array_equal(late_pcm[16000:], pcm[settled * 8000 :])
        remuxer.close()
        assert not file.closed


def test_chunks_hold_what_they_were_asked_for(tmp_path: Path) -> None:
    ffmpeg(*sources(), *H264, *AAC, tmp_path / "a.mp4")
    with (tmp_path / "a.mp4").open("rb") as file:
        remuxer = Remuxer(file)
        remuxer.start(0.0)
        data = b"".join(remuxer.chunk(until_s) for until_s in (2.0, 4.0, 6.0))
        again = remuxer.chunk(6.0)
        # Muxers interleave, so the last packets may be on their way.
        assert probe(io.BytesIO(data)).has_video and len(again) < len(data) / 50
        with DecodeRun(FFMPEG, container="nut", offset_s=0.0, first_tick=0) as run:
            run.feed(data)
            run.close_input()
            block = run.read(40)
        assert len(block.pcm) / 16000 == pytest.approx(6.0, abs=0.5)
        assert len(block.frames) / 4 == pytest.approx(6.0, abs=0.5)
        assert remuxer.chunk(100.0)
        assert remuxer.chunk(200.0) == b""


def test_a_start_behind_the_end_is_the_last_keyframe(tmp_path: Path) -> None:
    ffmpeg(*sources(), *H264, *AAC, tmp_path / "a.mp4")
    with (tmp_path / "a.mp4").open("rb") as file:
        assert Remuxer(file).start(1000.0) == pytest.approx(10.0, abs=0.1)


def test_without_seek_table_or_duration(tmp_path: Path) -> None:
    args = [*sources(), "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "60", "-c:a", "libopus"]
    data = subprocess.run(
        [FFMPEG, "-v", "error", *args, "-f", "webm", "-live", "1", "pipe:1"], check=True, stdout=subprocess.PIPE
    ).stdout
    remuxer = Remuxer(io.BytesIO(data))
    assert np.isnan(remuxer.info.duration_s)
    _, _, pcm, frames = decode(remuxer, 0.0)
    offset_s, first, late_pcm, late_frames = decode(remuxer, 7.3)
    assert 2 < offset_s <= 7.3
    assert np.array_equal(late_frames[4:], frames[(first + 2) * 2 :])
    assert np.array_equal(late_pcm[16000:], pcm[(first + 2) * 8000 :])


def test_a_file_that_breaks_off_gives_what_is_there(tmp_path: Path) -> None:
    ffmpeg(*sources(), *H264, *AAC, "-movflags", "faststart", tmp_path / "a.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    _, _, pcm, frames = decode(Remuxer(io.BytesIO(data[: len(data) * 2 // 3])), 0.0)
    assert 5 < len(pcm) / 16000 < 10 and 5 < len(frames) / 4 < 10


class Failing(io.BytesIO):
    """A file whose reader loses its connection."""

    armed = False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.armed:
            raise MediaError("The connection was lost.")
        return super().read(size)


def test_what_the_file_raises_comes_through(tmp_path: Path) -> None:
    ffmpeg(*sources()[6:], tmp_path / "a.wav")
    file = Failing((tmp_path / "a.wav").read_bytes())
    remuxer = Remuxer(file)
    remuxer.start(3.0)
    file.armed = True
    with pytest.raises(MediaError, match="connection was lost"):
        remuxer.chunk(100.0)


@pytest.mark.parametrize("made", ["mp4 with its index last", "mpeg-ts", "webm", "wav"], indirect=True)
def test_a_span_holds_its_stretch_at_its_place(made: Path, tmp_path: Path) -> None:
    with made.open("rb") as file:
        remuxer = Remuxer(file)
        _, _, pcm, frames = decode(remuxer, 0.0)
        offset_s = remuxer.write_span(5.2, 8.1, tmp_path / "span")
        remuxer.close()
    assert offset_s <= 5.2
    info = probe(tmp_path / "span")
    assert offset_s + info.duration_s >= 8.1
    assert info.duration_s < 8
    with (tmp_path / "span").open("rb") as file:
        span = Remuxer(file)
        span_offset_s = offset_s + span.start(0.0)
        first = first_tick_at(span_offset_s)
        with DecodeRun(FFMPEG, container=span.container, offset_s=span_offset_s, first_tick=first) as run:
            run.feed(span.chunk(100.0))
            run.close_input()
            block = run.read(16 - first)
    # The pictures and the samples of 6 s to 8 s.
    at = 12 - first
    assert np.array_equal(block.frames[at * 2 :], frames[24:32])
    # The samples too, to the millisecond that Matroska counts in; Opus sounds a little different after each start.
    ours = block.pcm[at * 8000 + 16 :][:30000].astype(float)
    theirs = pcm[6 * 16000 :].astype(float)
    differences = [np.abs(ours - theirs[lag : lag + 30000]).mean() for lag in range(33)]
    assert min(differences) < 0.1 * np.abs(ours).mean()


def test_a_span_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    ffmpeg(*sources(), *H264, *AAC, tmp_path / "a.mp4")
    with (tmp_path / "a.mp4").open("rb") as file, pytest.raises(MediaError, match="can't be written"):
        Remuxer(file).write_span(1, 2, tmp_path / "no folder" / "span")


FIXTURES = Path(__file__).parents[2] / "shared" / "fixtures" / "video"


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the real videos are not on this machine")
@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*")), ids=lambda path: path.name)
@pytest.mark.slow
def test_real_videos(path: Path) -> None:
    with path.open("rb") as file:
        remuxer = Remuxer(file)
        _, _, pcm, frames = decode(remuxer, 0.0)
        _, first, late_pcm, late_frames = decode(remuxer, 7.0)
    ticks = int(remuxer.info.duration_s * 2 + 0.1)
    assert len(frames) == pytest.approx(min(40, ticks) * 2, abs=2)
    assert np.array_equal(late_frames[4 : 80 - first * 2], frames[first * 2 + 4 :])
    if remuxer.info.audio_codec == "aac":
        assert np.array_equal(late_pcm[16000 : 320000 - first * 8000], pcm[first * 8000 + 16000 :])
