"""One clip that cannot be made: it says why, the others finish, nothing half-made is left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import pytest

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.records import CutMode, Highlight, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import part_path
from kick_clip_generator.library.library import Library
from kick_clip_generator.media.cut import cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.probe import probe
from kick_clip_generator.pipeline.clips import ClipsMade
from kick_clip_generator.service.cut import cut_highlights
from kick_clip_generator.service.generate import GenerateRequest
from kick_clip_generator.service.library import open_library
from kick_clip_generator.service.verify import verify
from tests.origin.media import ffmpeg
from tests.streams import make_stream

pytestmark = pytest.mark.slow

SPANS = (Span(3.3, 7.0), Span(12.3, 16.0), Span(20.3, 24.0))


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stream(tmp_path_factory.mktemp("bad") / "stream.mp4", duration_s=28.0, events=[(12, 18)])


@pytest.fixture
def settings() -> Settings:
    return Settings(min_training_samples=100)


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    with open_library(settings) as library:
        yield library


def cut_all(
    path: Path, library: Library, settings: Settings, mode: CutMode = "smart", spans: Sequence[Span] = SPANS
) -> ClipsMade:
    found = [Highlight("video", 0.5, one.start_s + 1, one, one) for one in spans]
    request = GenerateRequest.checked(url=str(path), settings=settings, cut=mode, output=Path("out"))
    return cut_highlights(request, found, library=library, settings=settings)


def assert_the_others_finished(made: ClipsMade, library: Library, words: str) -> None:
    assert [clip.highlight.clip for clip in made.files] == [SPANS[0], SPANS[2]]
    assert len(library.clips().items) == 2
    for clip in made.files:
        assert probe(clip.path).duration_s == pytest.approx(clip.highlight.clip.duration_s, abs=0.1)
    note = " ".join(made.notes)
    assert "_2_video could not be made" in note and words in note
    assert_nothing_left()


def assert_nothing_left() -> None:
    assert not list(Path().rglob("*.part*")) and not list(Path("temp_chunks").iterdir())


def wrapped_ffmpeg(folder: Path, what: str) -> Path:
    """An ffmpeg that does something else when it is to write the second clip."""
    script = folder / "ffmpeg.sh"
    script.write_text(f'#!/bin/sh\ncase "$*" in *highlight_2_*) {what};; esac\nexec "{ffmpeg_path()}" "$@"\n')
    script.chmod(0o755)
    return script


def test_a_stretch_of_noise_fails_its_clip_alone(
    stream: Path, library: Library, settings: Settings, tmp_path: Path
) -> None:
    media = bytearray(stream.read_bytes())
    with av.open(str(stream)) as container:
        for packet in container.demux():
            if packet.size and 10 <= packet.pts * packet.time_base < 19:
                media[packet.pos : packet.pos + packet.size] = os.urandom(packet.size)
    source = tmp_path / "noise.mp4"
    source.write_bytes(media)
    assert_the_others_finished(cut_all(source, library, settings), library, "_2_video")


@pytest.mark.parametrize("mode", ["copy", "smart", "exact"])
def test_one_corrupt_group_of_pictures_ends_in_clips_that_are_sound(
    stream: Path, library: Library, settings: Settings, tmp_path: Path, mode: CutMode
) -> None:
    media = bytearray(stream.read_bytes())
    with av.open(str(stream)) as container:
        for packet in container.demux(video=0):
            if packet.size and 14 <= packet.pts * packet.time_base < 15:
                for place in range(packet.pos + 8, packet.pos + packet.size, 7):
                    media[place] ^= 0x5A
    source = tmp_path / "corrupt.mp4"
    source.write_bytes(media)
    made = cut_all(source, library, settings, mode, SPANS[1:])
    assert len(made.files) == 2
    verify(library, settings, [clip.id for clip in made.files])
    assert {clip.checked for clip in library.clips().items} == {"sound"}
    assert_nothing_left()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
def test_a_disk_that_fills_during_the_encode(stream: Path, library: Library, settings: Settings) -> None:
    Path("out").mkdir()
    part_path(Path("out").resolve() / "video_highlight_2_video.mp4").symlink_to("/dev/full")
    made = cut_all(stream, library, settings, "exact")
    assert_the_others_finished(made, library, "disk is full")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for ffmpeg")
def test_ffmpeg_that_is_killed(stream: Path, library: Library, tmp_path: Path) -> None:
    settings = Settings(min_training_samples=100, ffmpeg_path=wrapped_ffmpeg(tmp_path, "kill -9 $$"))
    made = cut_all(stream, library, settings, "exact")
    assert_the_others_finished(made, library, "ended by signal 9")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for ffmpeg")
@pytest.mark.parametrize("mode", ["smart", "exact"])
def test_ffmpeg_that_hangs_is_ended(stream: Path, tmp_path: Path, mode: CutMode) -> None:
    script = wrapped_ffmpeg(tmp_path, ":")
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    target = tmp_path / "clip.part"
    with pytest.raises(MediaError, match=r"made no progress for 0\.3 s"):
        cut(str(script), stream, target, start_s=3.3, duration_s=5.0, mode=mode, stall_s=0.3)
    assert not target.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file names")
@pytest.mark.parametrize(
    "name", ['say "hi": it\'s a\\b', "שלום \u202eabc", "🎉 50% off; $(touch x) `y` \t\x1b[31m", "..."]
)
def test_titles_of_strangers(stream: Path, library: Library, settings: Settings, tmp_path: Path, name: str) -> None:
    source = tmp_path / f"{name}.mp4"
    source.write_bytes(stream.read_bytes())
    span = SPANS[1]
    request = GenerateRequest.checked(url=str(source), settings=settings, cut="smart")
    made = cut_highlights(
        request, [Highlight("both", 0.5, span.start_s + 1, span, span)], library=library, settings=settings
    )
    (clip,) = made.files
    assert clip.path.parent.parent == settings.clips_dir.resolve() and clip.path.is_file()
    assert all(character.isprintable() and character not in '\\/:*?"<>|' for character in clip.path.parent.name)
    assert [verdict.outcome for verdict in verify(library, settings, [clip.id])] == ["sound"]
    assert not Path("x").exists()
    assert_nothing_left()


def test_no_sound_and_a_frame_rate_that_varies(stream: Path, library: Library, settings: Settings) -> None:
    picture, uneven = Path("picture.mp4"), Path("uneven.mp4")
    ffmpeg("-i", stream, "-an", "-c", "copy", picture)
    uneven_times = "setpts='PTS+0.02*sin(N)/TB'"
    ffmpeg("-i", stream, "-vf", uneven_times, "-fps_mode", "vfr", "-enc_time_base", "1:90000", "-c:a", "copy", uneven)
    for source in (picture, uneven):
        for mode in ("copy", "smart", "exact"):
            made = cut_all(source, library, settings, mode, SPANS[:1])
            assert len(made.files) == 1 and probe(made.files[0].path).has_audio == (source == uneven)
            verdicts = verify(library, settings, [clip.id for clip in made.files])
            assert {verdict.outcome for verdict in verdicts} == {"sound"}
    assert_nothing_left()
