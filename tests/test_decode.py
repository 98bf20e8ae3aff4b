"""Laws of decoding: the same bits wherever a run starts, ticks that stay in place, and an end to every run."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.timeline import first_tick_at
from kick_clip_generator.media.commands import Pictures
from kick_clip_generator.media.decode import DecodeRun, TickBlock
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.probe import probe

FFMPEG = ffmpeg_path(None)
FRAMES_PER_TICK = 2
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="stands in for ffmpeg with a shell script")


def ffmpeg(*args: str | Path) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *map(str, args)], check=True)


def sources(duration_s: float, *, rate: int = 48000, fps: str = "30", size: str = "64x36") -> list[str]:
    """Inputs: moving bars, and a rising tone under noise; both say at any instant what time it is."""
    sound = f"aevalsrc='0.3*sin(2*PI*t*(200+30*t))+0.05*random(0)|0.3*sin(2*PI*t*(200+31*t))':s={rate}:d={duration_s}"
    return ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={fps}:d={duration_s}", "-f", "lavfi", "-i", sound]


def encoders(gop: int) -> list[str]:
    # ffmpeg's AAC encoder would put in noise that the decoder makes up anew in each run.
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "animation", "-bf", "2", "-g", str(gop)]
    return [*video, "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k", "-aac_pns", "0"]


@contextlib.contextmanager
def feeding(run: DecodeRun, parts: Sequence[bytes]) -> Iterator[list[MediaError]]:
    """Feeds a run from a thread; the list holds what that raised."""
    raised: list[MediaError] = []

    def feed() -> None:
        try:
            for part in parts:
                run.feed(part)
            run.close_input()
        except MediaError as error:
            raised.append(error)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield raised
    finally:
        if sys.exc_info()[0] is not None:
            run.kill()
        thread.join(20)
        assert not thread.is_alive()


def blocks_of(run: DecodeRun, ticks: int = 60) -> Iterator[TickBlock]:
    """Blocks until both media have ended."""
    while True:
        block = run.read(ticks)
        yield block
        if len(block.pcm) < ticks * 8000 and len(block.frames) < ticks * FRAMES_PER_TICK:
            return


def decode(
    parts: Sequence[bytes],
    container: str = "mpegts",
    *,
    offset_s: float = 0.0,
    first_tick: int = 0,
    ticks: int = 60,
    pictures: Pictures = "all",
) -> tuple[np.ndarray, np.ndarray]:
    """All samples and frames of a stream."""
    with DecodeRun(
        FFMPEG, container=container, offset_s=offset_s, first_tick=first_tick, pictures=pictures, stall_s=10
    ) as run:
        with feeding(run, parts) as raised:
            blocks = list(blocks_of(run, ticks))
        assert not raised
    return np.concatenate([b.pcm for b in blocks]), np.concatenate([b.frames for b in blocks])


def segments(folder: Path, *, kind: str = "mpegts", rate: int = 48000, fps: str = "30", gop: int = 60) -> list[bytes]:
    """A 12 s stream in pieces of 2 s, as HLS has it; of fMP4 the header comes first."""
    suffix = "ts" if kind == "mpegts" else "m4s"
    names = ["-hls_segment_filename", folder / f"s%02d.{suffix}", "-hls_fmp4_init_filename", "init.mp4"]
    hls = ["-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", kind, *names]
    ffmpeg(*sources(12, rate=rate, fps=fps), *encoders(gop), *hls, folder / "list.m3u8")
    header = [folder / "init.mp4"] if kind == "fmp4" else []
    return [path.read_bytes() for path in [*header, *sorted(folder.glob(f"s*.{suffix}"))]]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return segments(tmp_path_factory.mktemp("stream"))


@pytest.fixture(scope="module")
def whole(stream: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    return decode(stream)


@pytest.mark.parametrize(
    ("kind", "rate", "fps", "gop"),
    [
        ("mpegts", 48000, "30", 60),
        ("mpegts", 44100, "30000/1001", 60),
        ("fmp4", 48000, "60", 120),
        pytest.param("mpegts", 44100, "60", 120, marks=pytest.mark.slow),
        pytest.param("fmp4", 44100, "30000/1001", 60, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_starts_later_gives_the_same_bits(tmp_path: Path, kind: str, rate: int, fps: str, gop: int) -> None:
    pieces = segments(tmp_path, kind=kind, rate=rate, fps=fps, gop=gop)
    header, pieces = (b"", pieces) if kind == "mpegts" else (pieces[0], pieces[1:])
    container = "mpegts" if kind == "mpegts" else "mp4"
    pcm, frames = decode([header + pieces[0], *pieces[1:]], container)
    clock = [probe(io.BytesIO(header + piece)).start_s for piece in pieces]
    for n in (1, 4):
        offset_s = clock[n] - clock[0]
        first = first_tick_at(offset_s)
        late_pcm, late_frames = decode(
            [header + pieces[n], *pieces[n + 1 :]], container, offset_s=offset_s, first_tick=first
        )
        # One tick on, the decoders have forgotten where they began.
        assert len(late_pcm) == len(pcm) - first * 8000
        assert len(late_frames) == len(frames) - first * FRAMES_PER_TICK
        assert np.array_equal(late_pcm[8000:], pcm[(first + 1) * 8000 :])
        assert np.array_equal(late_frames[FRAMES_PER_TICK:], frames[(first + 1) * FRAMES_PER_TICK :])


def test_block_sizes_do_not_matter(stream: list[bytes], whole: tuple[np.ndarray, np.ndarray]) -> None:
    data = b"".join(stream)
    crumbs = [data[at : at + 7919] for at in range(0, len(data), 7919)]
    pcm, frames = decode(crumbs, ticks=7)
    assert np.array_equal(pcm, whole[0]) and np.array_equal(frames, whole[1])


def test_ticks_lie_at_absolute_instants(tmp_path: Path) -> None:
    # Brightness steps up with each of 20 frames a second; a beep sounds from 3.0 s to 3.25 s.
    picture = ["-f", "lavfi", "-i", "nullsrc=s=64x36:r=20:d=6,format=yuv420p,geq=lum='40+floor(N)':cb=128:cr=128"]
    sound = ["-f", "lavfi", "-i", "aevalsrc='0.5*sin(2*PI*1000*t)*between(t,3,3.25)':s=48000:d=6"]
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-qp", "1", "-c:a", "pcm_s16le", tmp_path / "a.nut")
    pcm, frames = decode([(tmp_path / "a.nut").read_bytes()], "nut", offset_s=100.0, first_tick=200)
    shown = frames[:, :90].mean(axis=(1, 2))
    assert np.abs(shown - (40 + np.arange(len(frames)) * 5)).max() < 0.6
    loud = np.flatnonzero(np.abs(pcm) > 1000)
    assert loud[0] == pytest.approx(3.0 * 16000, abs=10)
    assert loud[-1] == pytest.approx(3.25 * 16000, abs=10)


def test_a_lost_piece_leaves_later_ticks_in_place(stream: list[bytes], whole: tuple[np.ndarray, np.ndarray]) -> None:
    pcm, frames = decode([*stream[:2], *stream[3:]])
    assert len(pcm) == len(whole[0]) and len(frames) == len(whole[1])
    assert np.abs(pcm[int(4.5 * 16000) : int(5.5 * 16000)]).max() == 0
    # The sample at which sound comes back is known to one sample of the source.
    assert np.array_equal(frames[7 * 4 :], whole[1][7 * 4 :])
    assert np.array_equal(pcm[7 * 16000 :], whole[0][7 * 16000 :])


def test_a_damaged_piece_does_not_end_the_run(stream: list[bytes], whole: tuple[np.ndarray, np.ndarray]) -> None:
    noise = np.random.default_rng(0).bytes(len(stream[2]))
    pcm, frames = decode([*stream[:2], noise, *stream[3:]])
    assert np.array_equal(frames[8 * 4 :], whole[1][8 * 4 :])
    assert len(pcm) == len(whole[0])
    assert np.array_equal(frames[: 3 * 4], whole[1][: 3 * 4])


def join(folder: Path, *parts: Sequence[str | Path]) -> bytes:
    """MPEG-TS pieces, each made by its own arguments, in one stream with one clock."""
    for n, args in enumerate(parts):
        ffmpeg(*args, "-f", "mpegts", folder / f"part{n}.ts")
    return b"".join((folder / f"part{n}.ts").read_bytes() for n in range(len(parts)))


def slow_video(duration_s: float) -> list[str]:
    return ["-f", "lavfi", "-i", f"testsrc2=s=64x36:r=4:d={duration_s}", "-c:v", "libx264", "-preset", "ultrafast"]


def both(duration_s: float, rate: int, size: str) -> list[str]:
    return [*sources(duration_s, rate=rate, size=size), *encoders(30)]


@pytest.mark.slow
def test_a_medium_that_is_missing_midway_is_left_out_and_comes_back_in_place(tmp_path: Path) -> None:
    # Time stamps start at 10 s, for ffmpeg moves what would start below 0.
    ends = both(20, 48000, "64x36")
    data = join(
        tmp_path,
        [*ends, "-output_ts_offset", "10"],
        [*slow_video(140), "-g", "8", "-output_ts_offset", "30"],
        [*ends, "-output_ts_offset", "170"],
    )
    with DecodeRun(FFMPEG, container="mpegts", offset_s=0.0, first_tick=0, stall_s=10) as run:
        pieces = [data[at : at + 50_000] for at in range(0, len(data), 50_000)]
        with feeding(run, pieces) as raised:
            blocks = list(blocks_of(run, 20))
    assert not raised
    sound = {block.first_tick // 2: block.pcm for block in blocks}
    assert len(sound[0]) == len(sound[10]) == 10 * 16000
    # At 40 s the sound is missing, and the pictures are 90 s further.
    assert len(sound[40]) == 0 and len(blocks[4].frames) == 40
    # 10 s after the start of the last part it is there, as in the first part.
    assert np.array_equal(sound[170], sound[10])


def test_video_that_ends_early_does_not_hold_up_the_sound(tmp_path: Path) -> None:
    picture, sound = sources(4)[:4], sources(30)[4:]
    ffmpeg(*picture, *sound, *encoders(30), "-f", "mpegts", tmp_path / "a.ts")
    pcm, frames = decode([(tmp_path / "a.ts").read_bytes()])
    assert len(frames) == pytest.approx(4 * 4, abs=2)
    assert len(pcm) == 30 * 16000


@pytest.mark.parametrize("keep", ["audio", "video"])
def test_a_stream_of_one_medium(tmp_path: Path, keep: str) -> None:
    ffmpeg(*sources(3), *encoders(30), "-vn" if keep == "audio" else "-an", "-f", "mpegts", tmp_path / "a.ts")
    pcm, frames = decode([(tmp_path / "a.ts").read_bytes()])
    assert (len(pcm), len(frames)) == ((3 * 16000, 0) if keep == "audio" else (0, 12))


def test_only_the_wanted_medium_is_decoded(stream: list[bytes], whole: tuple[np.ndarray, np.ndarray]) -> None:
    with (
        DecodeRun(FFMPEG, container="mpegts", offset_s=0, first_tick=0, video=False) as run,
        feeding(run, stream),
    ):
        block = run.read(10)
    assert len(block.frames) == 0
    assert np.array_equal(block.pcm, whole[0][:80000])


def test_a_picture_may_change_its_size_and_sound_that_changes_its_rate_ends(tmp_path: Path) -> None:
    data = join(tmp_path, both(4, 48000, "128x72"), [*both(4, 44100, "64x36"), "-output_ts_offset", "4"])
    pcm, frames = decode([data])
    assert len(frames) == pytest.approx(8 * 4, abs=1)
    assert len(pcm) / 16000 == pytest.approx(4, abs=0.6)


def test_the_frame_rate_is_a_choice(stream: list[bytes], whole: tuple[np.ndarray, np.ndarray]) -> None:
    with (
        DecodeRun(FFMPEG, container="mpegts", offset_s=0, first_tick=0, audio=False, frame_rate_hz=12) as run,
        feeding(run, stream),
    ):
        frames = run.read(20).frames
    assert len(frames) == 120
    assert np.array_equal(frames[::3], whole[1][:40])


def brightening(target: Path, *options: str) -> Path:
    """11.5 s at 20 fps whose brightness steps up with every frame, two B-frames, a keyframe every 2 s."""
    picture = "nullsrc=s=64x36:r=20:d=11.5,format=yuv420p,geq=lum='20+N':cb=128:cr=128"
    encoder = ["-c:v", "libx264", "-qp", "1", "-bf", "2", "-b_strategy", "0", "-g", "40", "-sc_threshold", "0"]
    ffmpeg("-f", "lavfi", "-i", picture, *sources(11.5)[4:], *encoder, "-c:a", "aac", *options, target)
    return target


def shown_s(frames: np.ndarray) -> np.ndarray:
    """Which instant of `brightening` each frame shows."""
    return (frames[:, :90].mean(axis=(1, 2)) - 20) / 20


@pytest.mark.parametrize(
    ("name", "container", "options"),
    [
        ("a.ts", "mpegts", ()),
        ("a.mp4", "mp4", ("-movflags", "frag_keyframe+empty_moov")),
        ("a.nut", "nut", ()),
        ("a.mkv", "matroska", ()),
    ],
)
def test_fewer_pictures_stay_in_place(tmp_path: Path, name: str, container: str, options: tuple[str, ...]) -> None:
    data = [brightening(tmp_path / name, *options).read_bytes()]
    pcm, frames = decode(data, container)
    same_pcm, references = decode(data, container, pictures="references")
    assert np.array_equal(same_pcm, pcm)
    # A reference is at most two B-frames older.
    age_s = shown_s(frames)[: len(references)] - shown_s(references)
    assert len(references) >= len(frames) - 1 and age_s.min() > -0.01 and 0.04 < age_s.max() < 0.11
    same_pcm, glimpses = decode(data, container, pictures="glimpses")
    assert np.array_equal(same_pcm, pcm)
    # The last keyframe is at 10 s, and the last pictures of a run are not repeated.
    shown = shown_s(glimpses)
    assert len(shown) >= 10 * 4
    # A keyframe shows once, at the first instant from its own on; the reference behind it at all the others. The first
    # glimpse of a run may be its keyframe alone.
    latest = np.floor((shown_s(frames)[: len(shown)] + 0.01) / 2)
    expected_s = 2 * latest + np.where(np.diff(latest, prepend=-1) > 0, 0, 0.15)
    np.testing.assert_allclose(shown[latest > 0], expected_s[latest > 0], atol=0.01)


@pytest.mark.parametrize(
    "encoder",
    [
        "libx264 -preset ultrafast -bf 0",
        "libx264 -preset medium -bf 3 -x264-params open-gop=1:b-adapt=0",
        "libx265 -preset ultrafast -x265-params log-level=none:open-gop=1:min-keyint=40:scenecut=0",
        "libvpx-vp9 -deadline realtime -cpu-used 8",
        "libsvtav1 -preset 12",
    ],
)
@pytest.mark.parametrize("container", ["matroska", "nut"])
def test_glimpses_of_any_codec_begin_with_a_keyframe_and_are_short(
    tmp_path: Path, encoder: str, container: str
) -> None:
    picture = "nullsrc=s=128x72:r=20:d=11.5,format=yuv420p,geq=lum='20+N':cb=128:cr=128"
    every = ["-g", "40", "-keyint_min", "40", "-sc_threshold", "0", "-b:v", "1M"]
    inputs = ["-f", "lavfi", "-i", picture, *sources(11.5)[4:]]
    target = tmp_path / "a"
    ffmpeg(*inputs, "-c:v", *encoder.split(), *every, "-c:a", "aac", "-f", container, target)
    _, frames = decode([target.read_bytes()], container, pictures="glimpses")
    shown = shown_s(frames)
    for second in (2, 4, 6, 8):
        # Where sound begins before the picture, the instants lie elsewhere.
        first = int(np.argmax(shown > second - 0.2))
        keyframe, *ends = shown[first : first + 7]
        assert keyframe == pytest.approx(second, abs=0.05)
        assert 0.03 < ends[0] - keyframe < 0.6 and np.ptp(ends) == 0


@pytest.mark.parametrize("pictures", ["references", "glimpses"])
def test_fewer_pictures_are_the_same_bits_wherever_a_run_starts(tmp_path: Path, pictures: Pictures) -> None:
    pieces = segments(tmp_path)
    _, frames = decode(pieces, pictures=pictures)
    offset_s = probe(io.BytesIO(pieces[2])).start_s - probe(io.BytesIO(pieces[0])).start_s
    first = first_tick_at(offset_s)
    _, late = decode(pieces[2:], offset_s=offset_s, first_tick=first, pictures=pictures)
    assert len(late) == len(frames) - first * FRAMES_PER_TICK
    # The first tick may lie behind the first keyframe's glimpse.
    assert np.array_equal(late[5 * FRAMES_PER_TICK :], frames[(first + 5) * FRAMES_PER_TICK :])


@pytest.mark.parametrize(
    "change",
    [
        {"frame_rate_hz": 1.0},
        {"frame_rate_hz": 5.0},
        {"container": "hls"},
        {"offset_s": float("nan")},
        {"pictures": "most"},
    ],
)
def test_arguments_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        DecodeRun(FFMPEG, **{"container": "mpegts", "offset_s": 0.0, "first_tick": 0, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", bytes(4000), b"\x47" + bytes(200)])
def test_bytes_that_are_no_media_are_an_error(data: bytes) -> None:
    with DecodeRun(FFMPEG, container="mpegts", offset_s=0, first_tick=0) as run:
        run.feed(data)
        with pytest.raises(MediaError, match="media"):
            run.close_input()
        with pytest.raises(MediaError, match="media"):
            run.read(1)


@pytest.mark.slow
def test_an_unread_run_makes_its_feeder_wait_and_not_the_watchdog_bark(stream: list[bytes], tmp_path: Path) -> None:
    ffmpeg(*slow_video(200), "-g", "8", "-f", "mpegts", "-muxrate", "200k", tmp_path / "long.ts")
    data = (tmp_path / "long.ts").read_bytes()
    pieces = [data[at : at + 300_000] for at in range(0, len(data), 300_000)]
    with DecodeRun(FFMPEG, container="mpegts", offset_s=0, first_tick=0, stall_s=2) as run:
        with feeding(run, pieces) as raised:
            time.sleep(4)
            frames = sum(len(block.frames) for block in blocks_of(run, 60))
        assert not raised
    assert frames == pytest.approx(800, abs=2)


@pytest.mark.slow
def test_a_stream_that_pauses_is_waited_for(stream: list[bytes], whole: tuple[np.ndarray, np.ndarray]) -> None:
    with DecodeRun(FFMPEG, container="mpegts", offset_s=0, first_tick=0, stall_s=2) as run:
        run.feed(b"".join(stream[:4]))
        first = run.read(8)
        waiting = threading.Timer(4.0, lambda: (run.feed(b"".join(stream[4:])), run.close_input()))
        waiting.start()
        second = run.read(12)
        waiting.join()
    assert np.array_equal(np.concatenate([first.pcm, second.pcm]), whole[0][: 20 * 8000])


def script(folder: Path, text: str) -> str:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\necho $$ >> {folder}/pids\n{text}\n")
    path.chmod(0o755)
    return str(path)


def assert_gone(folder: Path) -> None:
    for pid in (folder / "pids").read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


@posix_only
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo out of luck >&2; exec sleep 100", "stood still.*out of luck"),
        ("echo so long >&2; kill -9 $$", "ended by the system.*so long"),
        ("echo no such codec >&2; exit 1", "no such codec"),
    ],
)
def test_an_ffmpeg_that_hangs_or_dies_ends_the_run(stream: list[bytes], tmp_path: Path, text: str, words: str) -> None:
    with (
        DecodeRun(script(tmp_path, text), container="mpegts", offset_s=0, first_tick=0, stall_s=0.3) as run,
        feeding(run, stream),
        pytest.raises(MediaError, match=words),
    ):
        run.read(10)
    assert_gone(tmp_path)


@posix_only
@pytest.mark.parametrize("waiting_in", ["read", "feed"])
def test_kill_frees_whoever_waits_and_leaves_nothing(stream: list[bytes], tmp_path: Path, waiting_in: str) -> None:
    before = threading.active_count()
    run = DecodeRun(script(tmp_path, "exec sleep 100"), container="mpegts", offset_s=0, first_tick=0)
    killer = threading.Timer(0.4, run.kill)
    killer.start()
    with pytest.raises(MediaError, match="stopped"):
        if waiting_in == "read":
            run.feed(b"".join(stream))
            run.read(10)
        else:
            for _ in itertools.count():
                run.feed(b"".join(stream))
    killer.join()
    run.kill()
    assert_gone(tmp_path)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before
