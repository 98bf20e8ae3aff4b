"""Cuts of made media: every frame carries its number as a bar code, and a click sounds every half second."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from kick_clip_generator.core.errors import Cancelled, MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.check import check_clip
from kick_clip_generator.media.cut import CutResult, cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path

FPS = 30
LENGTH_S = 10
BITS = 10
CLICK_S = 0.5
FRAME_S = 1 / FPS

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    return ffmpeg_path()


@pytest.fixture(scope="module")
def make(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Encode the numbered frames and the clicks with any ffmpeg options; each file is made once."""
    folder = tmp_path_factory.mktemp("sources")
    numbers = np.arange(FPS * LENGTH_S)
    frames = np.full((len(numbers), 97, 161), 50, np.uint8)
    for bit in range(BITS):
        frames[((numbers >> bit) & 1).astype(bool), :, bit * 16 : (bit + 1) * 16] = 200
    times_s = np.arange(48000 * LENGTH_S) / 48000
    clicks = np.where(times_s % CLICK_S < 0.004, np.sin(2 * np.pi * 4000 * times_s) * 0.8, 0)
    (folder / "video").write_bytes(frames.tobytes())
    (folder / "audio").write_bytes((clicks * 32767).astype("<i2").tobytes())

    def build(name: str, *options: str, video: bool = True, audio: bool = True) -> Path:
        target = folder / name
        if not target.exists():
            picture = [
                "-f",
                "rawvideo",
                "-pix_fmt",
                "gray",
                "-s",
                "161x97",
                "-r",
                str(FPS),
                "-i",
                str(folder / "video"),
            ]
            sound = ["-f", "s16le", "-ar", "48000", "-ac", "1", "-i", str(folder / "audio")]
            defaults = ["-pix_fmt", "yuv420p", "-preset", "ultrafast", "-g", "60"] if video else []
            run(ffmpeg, *(picture if video else []), *(sound if audio else []), *defaults, *options, f"file:{target}")
        return target

    return build


@pytest.fixture(scope="module")
def late(make: Make, ffmpeg: str) -> Path:
    """Sound that sets in 2 s after the picture."""
    picture, sound = make("index.mp4", *H264), make("sound-aac.mkv", "-c:a", "aac", video=False)
    target = picture.with_name("late.mp4")
    run(
        ffmpeg,
        "-i",
        str(picture),
        "-itsoffset",
        "2",
        "-i",
        str(sound),
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
        "-movflags",
        "+faststart",
        str(target),
    )
    return target


def run(ffmpeg: str, *args: str) -> None:
    subprocess.run([ffmpeg, "-v", "error", "-y", *args], check=True, stdin=subprocess.DEVNULL)


H264 = ("-s", "160x96", "-c:v", "libx264", "-bf", "3", "-c:a", "aac")


def frame_numbers(path: Path) -> list[tuple[float, int]]:
    """(seconds, number) of every frame that a player shows."""
    shown = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            gray = frame.to_ndarray(format="gray")
            step = gray.shape[1] / 10
            bits = [gray[20:-20, int((b + 0.3) * step) : int((b + 0.7) * step)].mean() > 125 for b in range(BITS)]
            shown.append((float(frame.time), sum(1 << b for b, on in enumerate(bits) if on)))
    return shown


def click_times(path: Path) -> np.ndarray:
    """Seconds at which clicks begin, as a player plays them."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        blocks = [(float(frame.time), frame.to_ndarray()[0]) for frame in container.decode(stream)]
        level = np.abs(np.concatenate([block for _, block in blocks]).astype(float))
        loud = np.flatnonzero(level > level.max() / 4)
        return blocks[0][0] + loud[np.diff(loud, prepend=-math.inf) > stream.rate * 0.1] / stream.rate


def sync_errors_s(path: Path) -> tuple[float, float]:
    """By how much picture and sound miss the instant that the first frame's number and the clicks say."""
    (_, first), *others = frame_numbers(path)
    start_s = others[0][1] * FRAME_S - others[0][0]
    assert abs(start_s - first * FRAME_S) <= FRAME_S
    picture = max(abs(number * FRAME_S - time_s - start_s) for time_s, number in others)
    sound = max(abs((time_s + start_s + CLICK_S / 2) % CLICK_S - CLICK_S / 2) for time_s in click_times(path))
    return picture, sound


def container_start_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return min(float(stream.start_time * stream.time_base) for stream in container.streams)


def first_frame_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return min(float(frame.time) for frame, _ in zip(container.decode(video=0), range(5), strict=False))


SOURCES = {
    "index.mp4": H264,
    "matroska.mkv": H264,
    "nut.nut": H264,
    "short-gop.ts": H264,
    "one-open-gop.ts": (*H264, "-g", "600", "-x264-params", "open-gop=1:scenecut=0"),
    "fragments.mp4": (*H264, "-movflags", "+frag_keyframe+delay_moov+default_base_moof"),
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["exact", "copy"])
@pytest.mark.parametrize("name", SOURCES)
def test_clip_starts_at_the_frame_and_keeps_sync(make: Make, ffmpeg: str, tmp_path: Path, name: str, mode: str) -> None:
    source = make(name, *SOURCES[name])
    # Frame 0 of the source lies here on the caller's clock.
    origin_s = first_frame_s(source) - container_start_s(source)
    for start_s in (0.0, 3.1, 7.25):
        target = tmp_path / "clip.part"
        result = cut(ffmpeg, source, target, start_s=start_s, duration_s=2.0, mode=mode)
        check_clip(target, duration_s=result.duration_s, has_video=True, has_audio=True)
        shown = frame_numbers(target)
        assert shown[0][0] == pytest.approx(0.0, abs=1e-3)
        assert shown[0][1] == max(0, math.floor((start_s - origin_s) / FRAME_S + 0.05))
        if mode == "exact":
            last = math.ceil((start_s + 2.0 - origin_s) / FRAME_S - 0.05) - 1
            assert [number for _, number in shown] == list(range(shown[0][1], last + 1))
        picture_s, sound_s = sync_errors_s(target)
        assert picture_s < 0.002
        assert sound_s < 0.02


def test_clip_ends_where_the_source_ends(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    target = tmp_path / "clip.part"
    result = cut(ffmpeg, make("index.mp4", *H264), target, start_s=8.5, duration_s=60.0)
    assert result.duration_s == pytest.approx(LENGTH_S - 8.5, abs=0.05)
    check_clip(target, duration_s=result.duration_s, has_video=True, has_audio=True)


def test_clip_starts_where_the_source_starts(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    for name, options in (("index.mp4", H264), ("sound-flac.mkv", ("-c:a", "flac"))):
        target = tmp_path / "clip.part"
        result = cut(ffmpeg, make(name, *options, video=options is H264), target, start_s=-1.0, duration_s=3.0)
        assert (result.start_s, result.duration_s) == pytest.approx((0.0, 2.0), abs=0.01)
        assert click_times(target)[0] == pytest.approx(0.0, abs=0.01)


def test_start_after_the_end_is_refused(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no media at 11\.0 s"):
        cut(ffmpeg, make("index.mp4", *H264), tmp_path / "clip.part", start_s=11.0, duration_s=2.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("start_s", "duration_s"), [(-3.0, 2.0), (math.nan, 2.0), (0.0, 0.0), (0.0, math.inf)])
def test_senseless_times_are_refused(ffmpeg: str, tmp_path: Path, start_s: float, duration_s: float) -> None:
    with pytest.raises(ValueError, match="expected a finite start"):
        cut(ffmpeg, tmp_path / "x", tmp_path / "y", start_s=start_s, duration_s=duration_s)


def test_copy_falls_back_where_mp4_can_not_hold_the_codec(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    source = make("vp8.webm", "-c:v", "libvpx", "-deadline", "realtime", "-t", "3", "-c:a", "libvorbis")
    result = cut(ffmpeg, source, tmp_path / "clip.part", start_s=1.0, duration_s=1.0, mode="copy")
    assert result.mode == "exact"
    assert "vp8" in result.note
    assert frame_numbers(tmp_path / "clip.part")[0][1] == 30


def codec_of(path: Path) -> av.VideoCodecContext:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context


def test_odd_ten_bit_hdr_becomes_even_eight_bit(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    color = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=error"
    source = make("hdr.mkv", "-pix_fmt", "yuv444p10le", "-c:v", "libx265", "-x265-params", color, "-t", "2", "-an")
    assert (codec_of(source).width, codec_of(source).height) == (161, 97)
    result = cut(ffmpeg, source, tmp_path / "clip.part", start_s=0.5, duration_s=1.0)
    codec = codec_of(tmp_path / "clip.part")
    assert (codec.width, codec.height, codec.pix_fmt, codec.name) == (160, 96, "yuv420p", "h264")
    assert codec.color_trc == 1  # bt709
    assert not result.has_audio


@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_rotated_video_is_shown_upright(make: Make, ffmpeg: str, tmp_path: Path, mode: str) -> None:
    upright = make("index.mp4", *H264)
    source = upright.with_name("rotated.mp4")
    run(ffmpeg, "-display_rotation", "90", "-i", str(upright), "-c", "copy", str(source))
    cut(ffmpeg, source, tmp_path / "clip.part", start_s=1.0, duration_s=1.0, mode=mode)
    with av.open(str(tmp_path / "clip.part")) as container:
        frame = next(container.decode(video=0))
        size = (frame.width, frame.height) if frame.rotation % 180 == 0 else (frame.height, frame.width)
    assert size == (96, 160)


def test_variable_frame_rate_keeps_its_times(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    # 10 frames a second, then 30: resampling to either would drop or invent frames.
    sparse = "select='if(lt(n,150),not(mod(n,3)),1)'"
    source = make("vfr.mp4", *H264, "-vf", sparse, "-fps_mode", "vfr")
    cut(ffmpeg, source, tmp_path / "clip.part", start_s=4.0, duration_s=2.0)
    shown = frame_numbers(tmp_path / "clip.part")
    assert [number for _, number in shown] == [*range(120, 150, 3), *range(150, 180)]
    assert all(time_s == pytest.approx(number * FRAME_S - 4.0, abs=1e-3) for time_s, number in shown)


def test_surround_becomes_stereo_and_mono_stays(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    for channels, expected in ((1, 1), (6, 2)):
        source = make(f"audio{channels}.mkv", *H264, "-c:a", "ac3", "-ac", str(channels), "-t", "3")
        cut(ffmpeg, source, tmp_path / "clip.part", start_s=1.0, duration_s=1.0)
        with av.open(str(tmp_path / "clip.part")) as container:
            assert container.streams.audio[0].codec_context.layout.nb_channels == expected


def test_strangers_words_do_not_travel(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    words = ["-metadata", "title=SECRET", "-metadata:s:v", "title=SECRET", "-metadata:s:a", "handler_name=SECRET"]
    source = make("titled.mkv", *H264, *words, "-t", "3")
    for mode in ("exact", "copy"):
        cut(ffmpeg, source, tmp_path / "clip.part", start_s=1.0, duration_s=1.0, mode=mode)
        assert b"SECRET" not in (tmp_path / "clip.part").read_bytes()
    assert b"SECRET" in source.read_bytes()


@pytest.mark.parametrize(("codec", "mode", "expected"), [("aac", "copy", "copy"), ("flac", "copy", "exact")])
def test_sound_alone_becomes_m4a(make: Make, ffmpeg: str, tmp_path: Path, codec: str, mode: str, expected: str) -> None:
    source = make(f"sound-{codec}.mkv", "-c:a", codec, video=False)
    target = tmp_path / "clip.part"
    result = cut(ffmpeg, source, target, start_s=2.2, duration_s=3.0, mode=mode)
    assert (result.mode, result.has_video) == (expected, False)
    check_clip(target, duration_s=3.0, has_video=False, has_audio=True)
    with av.open(str(target)) as container:
        assert container.metadata["major_brand"].startswith("M4A")
        assert container.streams.audio[0].codec_context.name == "aac"
    late_s = (click_times(target) + 2.2 + CLICK_S / 2) % CLICK_S - CLICK_S / 2
    assert np.abs(late_s).max() < 0.02


def test_sound_that_sets_in_late_is_padded(late: Path, ffmpeg: str, tmp_path: Path) -> None:
    cut(ffmpeg, late, tmp_path / "clip.part", start_s=1.0, duration_s=3.0)
    check_clip(tmp_path / "clip.part", duration_s=3.0, has_video=True, has_audio=True)
    assert click_times(tmp_path / "clip.part") == pytest.approx([1.0, 1.5, 2.0, 2.5], abs=0.02)


def test_clip_waits_for_the_first_keyframe(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    whole = make("short-gop.ts", *H264).read_bytes()
    source = tmp_path / "torn.ts"
    source.write_bytes(whole[188 * (len(whole) // 188 // 9) :])
    result = cut(ffmpeg, source, tmp_path / "clip.part", start_s=0.0, duration_s=4.0)
    assert result.start_s > 0.2
    assert frame_numbers(tmp_path / "clip.part")[0][1] % 60 == 0
    check_clip(tmp_path / "clip.part", duration_s=result.duration_s, has_video=True, has_audio=True)


@pytest.mark.parametrize("name", ["-x.mp4", "it's 100%d [a:b], https:__x.mp4", "файл🎬.mp4"])
def test_any_file_name_is_only_a_name(make: Make, ffmpeg: str, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    os.link(make("index.mp4", *H264), source)
    target = tmp_path / f"{name}.part"
    cut(ffmpeg, source, target, start_s=1.0, duration_s=0.5)
    check_clip(target, duration_s=0.5, has_video=True, has_audio=True)


@pytest.mark.parametrize(
    "script",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{0}'\n",
    ],
)
def test_playlist_in_disguise_opens_nothing(make: Make, ffmpeg: str, tmp_path: Path, script: str) -> None:
    source = tmp_path / "video.mp4"
    source.write_text(script.format(make("short-gop.ts", *H264)))
    with pytest.raises(MediaError, match=r"video\.mp4"):
        cut(ffmpeg, source, tmp_path / "clip.part", start_s=0.0, duration_s=1.0)
    assert not (tmp_path / "clip.part").exists()


def test_cancel_leaves_nothing(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        cut(ffmpeg, make("index.mp4", *H264), tmp_path / "clip.part", start_s=0, duration_s=9, cancel=cancel)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
def test_full_disk_is_named_and_leaves_nothing(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    target = tmp_path / "clip.part"
    target.symlink_to("/dev/full")
    with pytest.raises(MediaError, match=f"disk is full in {tmp_path}"):
        cut(ffmpeg, make("index.mp4", *H264), target, start_s=0.0, duration_s=5.0)
    assert not target.is_symlink()


@pytest.fixture
def clip(make: Make, ffmpeg: str, tmp_path: Path) -> tuple[Path, CutResult]:
    target = tmp_path / "clip.part"
    return target, cut(ffmpeg, make("index.mp4", *H264), target, start_s=1.0, duration_s=3.0)


@pytest.mark.parametrize("place", [0.1, 0.9])
def test_check_refuses_damage(clip: tuple[Path, CutResult], place: float) -> None:
    path, result = clip
    media = path.read_bytes()
    begin = media.index(b"mdat") + 4
    damaged = begin + round((len(media) - begin) * place)
    path.write_bytes(media[:damaged] + bytes(400) + media[damaged + 400 :])
    with pytest.raises(MediaError, match=r"clip\.part"):
        check_clip(path, duration_s=result.duration_s, has_video=True, has_audio=True)


def test_check_refuses_a_cut_off_file(clip: tuple[Path, CutResult]) -> None:
    path, result = clip
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(MediaError, match=r"clip\.part"):
        check_clip(path, duration_s=result.duration_s, has_video=True, has_audio=True)


def test_check_refuses_the_wrong_length_and_missing_media(clip: tuple[Path, CutResult], make: Make) -> None:
    path, _ = clip
    with pytest.raises(MediaError, match=r"3\.0. s long where 5\.00 s"):
        check_clip(path, duration_s=5.0, has_video=True, has_audio=True)
    with pytest.raises(MediaError, match="no video stream"):
        sound = make("sound-aac.m4a", "-c:a", "aac", "-movflags", "+faststart", video=False)
        check_clip(sound, duration_s=10, has_video=True, has_audio=True)
    path.write_bytes(b"")
    with pytest.raises(MediaError, match=r"clip\.part"):
        check_clip(path, duration_s=3.0, has_video=True, has_audio=True)


def test_check_refuses_sound_that_sets_in_late(late: Path) -> None:
    with pytest.raises(MediaError, match=r"audio of the clip late\.mp4 starts at (1\.98|2\.0)"):
        check_clip(late, duration_s=LENGTH_S + 2, has_video=True, has_audio=True, video_s=LENGTH_S)
