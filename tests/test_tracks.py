"""Sources whose sound lies apart: decoded side by side, cut as one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.core.records import CutMode, Rendition, Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.check import check_clip
from kick_clip_generator.media.cut import cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.sources.renditions import for_clips
from kick_clip_generator.sources.resolve import resolve
from kick_clip_generator.sources.tracks import open_tracks
from tests.origin import Origin, make_hls, make_media
from tests.test_join import flashes_and_beeps, made

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    for suffixes in ((".mp4", ".m4a"), (".webm", ".webm")):
        made(folder, *suffixes)
    whole = make_media(folder / "whole.mp4", duration_s=12)
    for container in ("mpegts", "fmp4"):
        make_hls(folder / container, whole, container, renditions=["160p"], separate_audio=True)
    return folder


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as origin:
        yield origin


@pytest.fixture
def settings() -> Settings:
    return Settings(allowed_private_hosts="127.0.0.1", max_retries=1, request_timeout=5)


def split(origin: Origin, picture: str, sound: str) -> Source:
    rendition = Rendition(
        origin.url(picture), height_px=64, has_audio=False, has_video=True, audio_url=origin.url(sound)
    )
    return Source(origin.url(picture), "http", "split", 6.0, "f", (rendition,))


def clip_of(source: Source, settings: Settings, folder: Path, span: Span, mode: CutMode) -> Path:
    target = folder / "clip.mp4"
    with open_tracks(source, for_clips(source, settings), settings) as tracks:
        assert (tracks.has_audio, tracks.has_video, len(tracks.tracks)) == (True, True, 2)
        media = tracks.span(span, folder)
        done = cut(
            ffmpeg_path(None),
            media.path,
            target,
            start_s=span.start_s - media.offset_s,
            duration_s=span.duration_s,
            mode=mode,
        )
        assert done.has_audio and done.has_video
        check_clip(target, duration_s=done.duration_s, has_video=True, has_audio=True)
        media.path.unlink()
    assert sorted(path.name for path in folder.iterdir()) == ["clip.mp4"], "the parts are gone"
    return target


@pytest.mark.parametrize("suffixes", [(".mp4", ".m4a"), (".webm", ".webm")])
def test_a_clip_of_two_files_is_in_step(
    origin: Origin, settings: Settings, tmp_path: Path, suffixes: tuple[str, str]
) -> None:
    source = split(origin, f"picture{suffixes[0]}", f"sound{suffixes[1]}")
    flashes, beeps = flashes_and_beeps(clip_of(source, settings, tmp_path, Span(1.5, 5.0), "exact"))
    assert flashes == pytest.approx([0.5, 2.5], abs=0.03)
    assert beeps == pytest.approx([0.5, 2.5], abs=0.03)


@pytest.mark.parametrize("mode", ["exact", "copy"])
@pytest.mark.parametrize("container", ["mpegts", "fmp4"])
def test_a_clip_of_two_playlists(
    origin: Origin, settings: Settings, tmp_path: Path, container: str, mode: CutMode
) -> None:
    source = resolve(origin.url(f"{container}/master.m3u8"), settings)
    assert for_clips(source, settings).audio_url
    clip_of(source, settings, tmp_path, Span(3.2, 9.1), mode)
