"""Novelty of made pictures; motion vectors and faces of made and real media."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.features.extended import ExtendedExtractor
from kick_clip_generator.features.extended_video import Media
from kick_clip_generator.features.hashes import difference_hashes, novelty
from kick_clip_generator.features.registry import EXTENDED_NAMES, EXTENDED_VIDEO_NAMES
from kick_clip_generator.media import faces
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.look import look
from tests.test_features_video import texture

NO_PCM = np.zeros(0, np.int16)
WIDTH_PX = 320
FPS = 25

VIDEOS = Path(__file__).parents[2] / "shared" / "fixtures" / "video"

needs_cascade = pytest.mark.skipif(faces.cascade_path() is None, reason="this OpenCV comes without face cascades")


def made(target: Path, graph: str, *, codec: str = "libx264", duration_s: float = 3) -> Path:
    command = [str(ffmpeg_path(None)), "-v", "error", "-nostdin", "-f", "lavfi", "-i", graph, "-t", str(duration_s)]
    subprocess.run([*command, "-c:v", codec, "-g", "50", "-pix_fmt", "yuv420p", str(target)], check=True)
    return target


def pan(pixels_per_frame: int) -> str:
    """A window of `WIDTH_PX` that runs over a still pattern."""
    shown = f"crop={WIDTH_PX}:180:x='n*{pixels_per_frame}':y=0"
    pattern = f"color=gray:s=1280x180:r={FPS},noise=alls=100:all_seed=1,gblur=sigma=2,eq=contrast=4,trim=end_frame=1"
    return f"{pattern},loop=-1:1,setpts=N/{FPS}/TB,{shown}"


def test_vectors_tell_the_speed_of_a_pan_and_that_all_goes_one_way(tmp_path):
    speeds = []
    for pixels in (1, 2, 4, 8):
        seen = look(made(tmp_path / f"{pixels}.mp4", pan(pixels)), ticks=6)
        speeds.append(np.nanmedian(seen.vector_speed))
        assert speeds[-1] == pytest.approx(pixels * FPS / WIDTH_PX, rel=0.02)
        assert np.nanmedian(seen.vector_coherence) > 0.9
    assert np.all(np.diff(speeds) > 0)


def test_noise_goes_no_one_way_and_a_still_picture_goes_nowhere(tmp_path):
    blocks = f"life=s=40x22:r={FPS}:mold=10:ratio=0.5,scale=320:176:flags=neighbor"
    assert np.nanmean(look(made(tmp_path / "life.mp4", blocks), ticks=6).vector_coherence) < 0.6
    still = look(made(tmp_path / "still.mp4", pan(0)), ticks=6)
    assert np.nanmax(still.vector_speed) < 0.005 and np.isnan(still.vector_coherence).all()


class Pipe:
    """Media that can't be positioned."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._data.read(size)


def test_a_stretch_of_a_transport_stream_and_of_a_pipe_begins_at_its_start(tmp_path):
    path = made(tmp_path / "pan.ts", f"testsrc2=s=320x180:r={FPS}", duration_s=16)
    whole = look(path, ticks=32, faces=False).vector_speed
    for start_tick in (3, 25):
        for media in (path, Pipe(path.read_bytes())):
            later = look(media, start_s=start_tick / 2, ticks=6, faces=False).vector_speed
            np.testing.assert_array_equal(later, whole[start_tick : start_tick + 6])


def test_a_stretch_that_starts_later_sees_the_same_and_ends_with_the_media(tmp_path):
    path = made(tmp_path / "pan.mp4", pan(2))
    whole, later = look(path, ticks=6), look(io.BytesIO(path.read_bytes()), start_s=1.5, ticks=6)
    np.testing.assert_array_equal(later.vector_speed[:3], whole.vector_speed[3:])
    for column in (later.vector_speed, later.vector_coherence, later.face_count, later.face_area):
        assert column.shape == (6,) and np.isnan(column[3:]).all()
    early = look(path, start_s=-1, ticks=3)
    assert np.isnan(early.face_count[:2]).all() and early.vector_speed[2] == whole.vector_speed[0]


def test_codecs_without_vectors_sound_alone_and_damage_are_unknown_not_a_crash(tmp_path):
    vp8 = look(made(tmp_path / "vp8.webm", pan(2), codec="libvpx", duration_s=1), ticks=2)
    assert np.isnan(vp8.vector_speed).all() and np.isnan(vp8.vector_coherence).all()
    sound = tmp_path / "sound.wav"
    command = [str(ffmpeg_path(None)), "-v", "error", "-f", "lavfi", "-i", "sine", "-t", "1", str(sound)]
    subprocess.run(command, check=True)
    assert np.isnan(look(sound, ticks=2).face_count).all()
    whole = made(tmp_path / "pan.ts", pan(2)).read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 3 : len(whole) // 2] = np.random.default_rng(0).bytes(len(whole) // 2 - len(whole) // 3)
    assert look(io.BytesIO(bytes(damaged)), ticks=6).vector_speed.shape == (6,)
    with pytest.raises(MediaError):
        look(io.BytesIO(b"no media"), ticks=2)


def head(target: Path, width_px: int) -> Path:
    source = VIDEOS / "talking_head.mp4"
    if not source.is_file():
        pytest.skip(f"the recording of a face ({source.name}) is not here")
    graph = f"[1:v]scale={width_px}:{width_px}[h];[0:v][h]overlay=W-w:H-h"
    command = [str(ffmpeg_path(None)), "-v", "error", "-f", "lavfi", "-i", f"testsrc=s=1280x720:r={FPS}"]
    command += ["-i", str(source), "-filter_complex", graph, "-t", "2", "-preset", "ultrafast", str(target)]
    subprocess.run(command, check=True)
    return target


@needs_cascade
@pytest.mark.slow
def test_a_face_in_the_corner_is_one_face_of_its_size(tmp_path):
    for width_px in (200, 360, 700):
        seen = look(head(tmp_path / f"{width_px}.mp4", width_px), ticks=4)
        np.testing.assert_array_equal(seen.face_count, [1, np.nan, np.nan, np.nan])
        # The face is a bit more than half of the camera's picture, across.
        assert seen.face_area[0] == pytest.approx(0.33 * width_px**2 / (1280 * 720), rel=0.35)


@needs_cascade
def test_there_is_no_face_in_a_pattern(tmp_path):
    seen = look(made(tmp_path / "pan.mp4", pan(1), duration_s=1), ticks=2)
    for values in (seen.face_count, seen.face_area):
        np.testing.assert_array_equal(values, [0, np.nan])


def test_hashes_ignore_light_and_grain_and_tell_scenes_apart():
    lumas = np.stack([texture(seed) for seed in range(6)]).astype(np.uint8)
    grain = np.random.default_rng(0).integers(-4, 5, lumas.shape)
    hashes = difference_hashes(lumas)
    changed = difference_hashes((lumas * 0.8 + 20 + grain).astype(np.uint8))
    assert np.bitwise_count(hashes ^ changed).max() <= 10
    apart = [np.bitwise_count(hashes[a] ^ hashes[b]) for a in range(6) for b in range(a)]
    assert min(apart) > 15
    assert difference_hashes(lumas[:0]).shape == (0,)


def test_novelty_is_high_for_what_is_new_and_low_for_what_comes_back():
    scenes = [1] * 12 + [2] * 3 + [1] * 3 + [3] * 12
    hashes = difference_hashes(np.stack([texture(seed) for seed in scenes]).astype(np.uint8))
    known = np.ones(30, bool)
    values = novelty(hashes, known, back=10)
    assert np.isnan(values[:10]).all()
    assert np.flatnonzero(values[10:] > 0).tolist() == [2, 8]
    assert np.isnan(novelty(hashes[:10], known[:10], back=10)).tolist() == [True] * 10
    known[[12, 25]] = False
    gaps = novelty(hashes, known, back=10)
    assert np.isnan(gaps[10:]).nonzero()[0].tolist() == [2, 15] and gaps[13] > 0


def test_the_extractor_puts_all_in_its_columns(tmp_path):
    media = Media(made(tmp_path / "pan.mp4", pan(2), duration_s=6))
    rows, known = ExtendedExtractor().rows(NO_PCM, 14, media=media)
    values = {name: rows[:, EXTENDED_NAMES.index(name)] for name in EXTENDED_VIDEO_NAMES}
    assert np.isnan(values["picture_novelty"]).tolist() == [True] * 10 + [False] * 2 + [True] * 2
    assert np.isfinite(values["vector_speed"]).tolist() == [True] * 12 + [False] * 2
    assert known.tolist() == [[False, True]] * 12 + [[False, False]] * 2
    later, _ = ExtendedExtractor().rows(NO_PCM, 14, media=media, first_tick=3, skip=10)
    assert np.isnan(later[:10]).all()
    for name in ("picture_novelty", "vector_speed", "vector_coherence"):
        np.testing.assert_array_equal(later[10:, EXTENDED_NAMES.index(name)], values[name][10:])
    without, known = ExtendedExtractor().rows(NO_PCM, 14)
    assert np.isnan(without).all() and not known.any()


def test_without_the_cascade_faces_are_unknown_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(faces.cv2.data, "haarcascades", str(tmp_path))
    extractor = ExtendedExtractor()
    for name in ("face_count", "face_area"):
        assert "install" in extractor.unavailable()[name]
    seen = look(made(tmp_path / "pan.mp4", pan(2), duration_s=1), ticks=2)
    assert np.isnan(seen.face_count).all() and np.isfinite(seen.vector_speed).all()
