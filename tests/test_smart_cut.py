"""Smart cuts: new pictures up to the first IDR and the source's own from there on, as one stream."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from bench.browser import CHROMIUM, player
from bench.seams import RATE_HZ, Cut, decoded, lowest_db, measured, psnr_db, summary
from kick_clip_generator.core.errors import Cancelled, MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.boxes import trim_tracks
from kick_clip_generator.media.check import check_clip
from kick_clip_generator.media.cut import check_cut, cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.h264 import Framing, SequenceSet, avcc, joined, kind_of, sets_in

Make = Callable[..., Path]

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2")


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    return ffmpeg_path()


@pytest.fixture(scope="module")
def make(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Six seconds of numbered pictures and a tone, a keyframe every two; each file is made once."""
    folder = tmp_path_factory.mktemp("smart")

    def build(name: str, *options: str) -> Path:
        target = folder / name
        if not target.exists():
            inputs = ["-f", "lavfi", "-i", f"testsrc2=size=160x96:rate={RATE_HZ}"]
            inputs += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "6"]
            run(ffmpeg, *inputs, "-pix_fmt", "yuv420p", "-g", "60", "-c:a", "aac", *options, str(target))
        return target

    return build


def run(ffmpeg: str, *args: str) -> None:
    subprocess.run([ffmpeg, "-v", "error", "-y", *args], check=True, stdin=subprocess.DEVNULL)


def assert_all_met(cuts: list[Cut]) -> None:
    assert not [one.failed for one in cuts if one.failed]
    missed = [figure.name for figure in summary(cuts) if not figure.met]
    assert not missed


@pytest.mark.slow
def test_random_cuts_are_exact_and_look_like_the_source(ffmpeg: str, tmp_path: Path) -> None:
    cuts = measured(ffmpeg, tmp_path, 4, 3.5, None, length_s=6)
    assert_all_met(cuts)
    assert {one.way for one in cuts if one.mode == "smart" and one.source.startswith("closed")} == {"smart"}


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"There is no browser at {CHROMIUM} to play clips in.")
def test_chromium_shows_them_alike(ffmpeg: str, tmp_path: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed, so no browser is driven.")
    with player() as play:
        assert_all_met(measured(ffmpeg, tmp_path, 2, 3.5, play, length_s=6))


def test_a_picture_of_another_instant_is_noticed(make: Make) -> None:
    frames = decoded(make("plain.mp4", *H264))[:40]
    late = [(time_s, luma) for (time_s, _), (_, luma) in itertools.pairwise(frames)]
    assert lowest_db(frames, frames, 0.5) == 99
    assert lowest_db(late, frames, 0.5) < 35


@pytest.mark.parametrize("name", ["plain.mp4", "plain.ts", "plain.mkv"])
def test_only_the_pictures_before_the_keyframe_are_new(make: Make, ffmpeg: str, tmp_path: Path, name: str) -> None:
    source, target = make(name, *H264), tmp_path / "clip.part"
    # With sound, packets of which may lie before the first picture.
    done = cut(ffmpeg, source, target, start_s=1.2, duration_s=3.0, mode="smart")
    check_cut(target, done, source)
    assert done.mode == "smart" and not done.note
    ours, theirs = decoded(target), decoded(source)
    first = max(range(60), key=lambda index: psnr_db(ours[0][1], theirs[index][1]))
    same = [psnr_db(luma, theirs[first + index][1]) == 99 for index, (_, luma) in enumerate(ours)]
    seam = 60 - first
    assert ours[seam][0] == pytest.approx(done.seam_s, abs=1e-3)
    assert all(same[seam:]) and not any(same[:seam])
    with av.open(str(target)) as container:
        sets = sets_in(container.streams.video[0].codec_context.extradata)
    numbers = [SequenceSet.read(nal).number for nal in sets if kind_of(nal) == 7]
    assert len(numbers) == len(set(numbers)) == 2


def test_a_start_at_a_keyframe_encodes_nothing(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    source, target = make("plain.mp4", *H264), tmp_path / "clip.part"
    # There is no such program, so nothing can have been encoded.
    done = cut(str(tmp_path / "none"), source, target, start_s=2.0, duration_s=1.5, mode="smart")
    check_cut(target, done, source)
    assert len(decoded(target)) == 45 and np.isnan(done.seam_s)


def test_pictures_beyond_the_end_are_not_shown(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    source = make("many-b.mp4", "-c:v", "libx264", "-bf", "8", "-x264-params", "b-adapt=0:b-pyramid=normal")
    for frames in range(20, 30):
        target = tmp_path / "clip.part"
        cut(ffmpeg, source, target, start_s=2.0, duration_s=frames / RATE_HZ, mode="smart")
        assert len(decoded(target)) == frames


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("hevc.mp4", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"), "HEVC"),
        ("vp9.webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"), "VP9"),
        ("av1.mp4", ("-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1"), "AV1"),
        ("open.ts", (*H264, "-x264-params", "open-gop=1:scenecut=0"), "decoded by itself"),
        ("wide.mp4", (*H264, "-pix_fmt", "yuv444p"), "4:2:0"),
        ("deep.mp4", (*H264, "-pix_fmt", "yuv420p10le"), "4:2:0"),
        ("fields.mp4", (*H264, "-flags", "+ildct", "-x264-params", "tff=1"), "interlaced"),
    ],
)
def test_what_cannot_be_joined_is_encoded_whole(
    make: Make, ffmpeg: str, tmp_path: Path, name: str, options: tuple[str, ...], why: str
) -> None:
    source, target = make(name, *options), tmp_path / "clip.part"
    done = cut(ffmpeg, source, target, start_s=1.2, duration_s=1.5, mode="smart")
    assert done.mode == "exact" and why in done.note
    check_cut(target, done, source)


def test_turned_video_is_encoded_whole(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    upright = make("plain.mp4", *H264)
    source = tmp_path / "turned.mp4"
    run(ffmpeg, "-display_rotation", "90", "-i", str(upright), "-c", "copy", str(source))
    done = cut(ffmpeg, source, tmp_path / "clip.part", start_s=1.2, duration_s=1.5, mode="smart")
    assert done.mode == "exact" and "turned" in done.note


def test_coding_that_changes_is_encoded_whole(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    first = make("plain.ts", *H264)
    second = make("other.ts", "-c:v", "libx264", "-bf", "0", "-profile:v", "baseline", "-output_ts_offset", "6")
    source = tmp_path / "both.ts"
    run(ffmpeg, "-i", f"concat:{first}|{second}", "-c", "copy", str(source))
    done = cut(ffmpeg, source, tmp_path / "clip.part", start_s=3.2, duration_s=5.0, mode="smart")
    assert done.mode == "exact" and "coding changes" in done.note


@pytest.mark.parametrize(("lost", "mode"), [(False, "smart"), (True, "exact")])
def test_pieces_may_count_their_packets_anew_but_none_may_be_missing(
    make: Make, ffmpeg: str, tmp_path: Path, lost: bool, mode: str
) -> None:
    whole = make("plain.ts", *H264).read_bytes()
    source = tmp_path / "pieces.ts"
    counters: dict[int, int] = {}
    pieces = bytearray()
    for at in range(0, len(whole), 188):
        packet = bytearray(whole[at : at + 188])
        stream = (packet[1] & 31) << 8 | packet[2]
        # ISO/IEC 13818-1, 2.4.3: a packet of the picture that begins a unit, at which a decoder may begin.
        if stream == 256 and packet[1] & 64 and packet[3] & 32 and packet[4] and packet[5] & 64:
            counters = {}
        if packet[3] & 16:
            packet[3] = packet[3] & 0xF0 | counters.get(stream, 0) & 15
            counters[stream] = counters.get(stream, 0) + 1
        if not (lost and stream == 256 and 0.55 < at / len(whole) < 0.6):
            pieces += packet
    source.write_bytes(pieces)
    done = cut(ffmpeg, source, tmp_path / "clip.part", start_s=1.2, duration_s=4.0, mode="smart")
    assert done.mode == mode and ("missing" in done.note) is lost


def test_a_clip_between_keyframes_is_encoded_whole(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    done = cut(ffmpeg, make("plain.mp4", *H264), tmp_path / "clip.part", start_s=0.3, duration_s=1.2, mode="smart")
    assert done.mode == "exact" and "keyframe" in done.note


@pytest.mark.parametrize("sound", [("-c:a", "ac3"), ("-c:a", "aac", "-ac", "6"), ("-c:a", "libmp3lame")])
def test_sound_that_is_not_copied_is_encoded(make: Make, ffmpeg: str, tmp_path: Path, sound: tuple[str, ...]) -> None:
    source, target = make(f"{'-'.join(sound).replace(':', '')}.mkv", *H264, *sound), tmp_path / "clip.part"
    done = cut(ffmpeg, source, target, start_s=1.2, duration_s=2.0, mode="smart")
    check_cut(target, done, source)
    assert done.mode == "smart"
    with av.open(str(target)) as container:
        codec = container.streams.audio[0].codec_context
        assert (codec.name, min(codec.layout.nb_channels, 3)) == ("aac", 2 if "6" in sound else 1)


@pytest.mark.parametrize("name", ["plain.mp4", "plain.ts"])
@pytest.mark.parametrize("mode", ["copy", "smart", "exact"])
def test_pictures_alone_start_where_they_should(make: Make, ffmpeg: str, tmp_path: Path, name: str, mode: str) -> None:
    # ffmpeg moves its clock when a stream that starts earlier is left out.
    source, target = make(name, *H264), tmp_path / "clip.part"
    done = cut(ffmpeg, source, target, start_s=2.5, duration_s=1.0, mode=mode, has_audio=False)
    ours, theirs = decoded(target), decoded(source)
    with av.open(str(source)) as container:
        origin_s = min(float(stream.start_time * stream.time_base) for stream in container.streams)
    wanted = [(time_s - origin_s - done.start_s, luma) for time_s, luma in theirs]
    assert lowest_db(ours[2:], wanted, 0.5) > 30


def test_a_clip_with_a_black_start_is_refused(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    source = make("plain.mp4", *H264)
    black, still = tmp_path / "black.mp4", tmp_path / "still.mp4"
    made = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    run(
        ffmpeg,
        "-i",
        str(source),
        "-vf",
        "drawbox=t=fill:color=black:enable='lt(n,5)'",
        *made,
        "-c:a",
        "copy",
        str(black),
    )
    run(ffmpeg, "-i", str(source), "-vf", "loop=loop=30:size=1,trim=end=6", *made, "-c:a", "copy", str(still))
    for path, what in ((black, "first picture .* is black"), (still, "first picture .* is frozen")):
        with pytest.raises(MediaError, match=what):
            check_clip(path, duration_s=6, has_video=True, has_audio=True, source=source)
        check_clip(path, duration_s=6, has_video=True, has_audio=True, source=path)


def test_damage_at_the_seam_is_found(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    source, target = make("plain.mp4", *H264), tmp_path / "clip.mp4"
    done = cut(ffmpeg, source, target, start_s=0.2, duration_s=5.0, mode="smart")
    with av.open(str(target)) as container:
        place = next(p.pos for p in container.demux(video=0) if p.is_keyframe and p.pts * p.time_base > 1)
    media = bytearray(target.read_bytes())
    media[place + 40 : place + 400] = bytes(360)
    target.write_bytes(media)
    with pytest.raises(MediaError, match=r"clip\.mp4"):
        check_cut(target, done, source)


def test_nothing_is_left_of_a_smart_cut_that_is_cancelled(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    source = make("plain.mp4", *H264)
    for start_s in (1.2, 2.0):
        with pytest.raises(Cancelled):
            cut(ffmpeg, source, tmp_path / "clip.part", start_s=start_s, duration_s=2, mode="smart", cancel=cancel)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
def test_full_disk_is_named(make: Make, ffmpeg: str, tmp_path: Path) -> None:
    target = tmp_path / "clip.part"
    target.symlink_to("/dev/full")
    with pytest.raises(MediaError, match=f"disk is full in {tmp_path}"):
        cut(ffmpeg, make("plain.mp4", *H264), target, start_s=1.2, duration_s=4.0, mode="smart")
    assert not target.is_symlink()


def test_nal_units_survive_both_framings() -> None:
    nals = [bytes([0x67, 1, 2, 3]), bytes([0x68, 9]), bytes([0x65, 0, 0, 3, 1]), bytes([0x41, 7])]
    assert Framing().split(b"".join(b"\0\0\0\1" + nal for nal in nals)) == nals
    assert Framing(4).split(joined(nals)) == nals
    assert sets_in(avcc(nals[:2])) == nals[:2]
    with pytest.raises(ValueError, match="does not end"):
        Framing(4).split(joined(nals)[:-1])


def test_trimming_needs_an_index_in_front(make: Make) -> None:
    with pytest.raises(MediaError, match="no index in front"):
        trim_tracks(make("plain.mp4", *H264), [1.0])
