"""Thumbnails: the sharpest picture around the peak that is not black, in one size, and never in the way of a clip."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.library.thumbnails import thumbnail_path
from kick_clip_generator.media.thumbnail import thumbnail
from kick_clip_generator.pipeline.thumbnails import make_thumbnail

FPS = 10
BLACK, SOFT, SHARP = "black", "soft", "sharp"


def picture(look: str, width: int = 160, height: int = 90) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    made = {
        BLACK: np.zeros((height, width)),
        SOFT: 60 + 100 * columns / width,
        SHARP: 60 + 120 * ((rows // 8 + columns // 8) % 2),
    }
    return made[look].astype(np.uint8)


def clip_of(
    target: Path, looks: Sequence[tuple[str, float]], *options: str, width: int = 160, height: int = 90
) -> Path:
    """A clip that looks like that, each for so many seconds."""
    frames = b"".join(picture(look, width, height).tobytes() * round(length_s * FPS) for look, length_s in looks)
    raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "pipe:0"]
    run(*raw, *options, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(target), feed=frames)
    return target


def run(*args: str, feed: bytes = b"") -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *args], input=feed, check=True)


def decoded(jpeg: bytes | None) -> np.ndarray:
    assert jpeg is not None and jpeg.startswith(b"\xff\xd8")
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image.shape == (180, 320)
    return image


def sharpness(image: np.ndarray) -> float:
    return float(cv2.Laplacian(image, cv2.CV_64F).var())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return clip_of(tmp_path / "clip.mp4", [(BLACK, 1.5), (SOFT, 1), (SHARP, 1.5)])


def test_the_sharpest_of_three_that_is_not_black(clip: Path) -> None:
    assert sharpness(decoded(thumbnail(clip, 2.0))) > 1000, "the squares, a second behind the peak"
    soft = decoded(thumbnail(clip, 1.2))
    assert sharpness(soft) < 500 and soft.mean() > 60, "black is no choice, and the squares are 1.3 s away"


@pytest.mark.parametrize("peak_s", [-50.0, 0.0, 3.99, 1e6])
def test_a_peak_at_or_beyond_the_ends(clip: Path, peak_s: float) -> None:
    decoded(thumbnail(clip, peak_s))


def test_one_frame_and_all_black(tmp_path: Path) -> None:
    decoded(thumbnail(clip_of(tmp_path / "one.mp4", [(SOFT, 1 / FPS)]), 0.0))
    assert decoded(thumbnail(clip_of(tmp_path / "dark.mp4", [(BLACK, 1)]), 0.5)).max() < 20


def test_other_shapes_are_padded(tmp_path: Path) -> None:
    tall = decoded(thumbnail(clip_of(tmp_path / "tall.mp4", [(SOFT, 1)], width=90, height=160), 0.5))
    assert tall[:, :100].max() < 20 and tall[:, 220:].max() < 20 and tall[:, 115:205].min() > 40
    # A square of pixels that are twice as wide as high.
    wide = decoded(thumbnail(clip_of(tmp_path / "w.mp4", [(SOFT, 1)], "-vf", "setsar=2", width=96, height=96), 0.5))
    assert wide[:8].max() < 20 and wide[-8:].max() < 20 and wide[90].min() > 40


def test_a_turned_clip_stands_upright(tmp_path: Path) -> None:
    plain = clip_of(tmp_path / "plain.mp4", [(SOFT, 1)])
    turned = tmp_path / "turned.mp4"
    run("-display_rotation", "90", "-i", str(plain), "-c", "copy", str(turned))
    image = decoded(thumbnail(turned, 0.5))
    assert image[:, :100].max() < 20, "it is tall now"
    played = tmp_path / "played.png"
    run("-i", str(turned), "-frames:v", "1", str(played))
    shown = cv2.imread(str(played), cv2.IMREAD_GRAYSCALE)
    assert (shown[0].mean() > shown[-1].mean()) == (image[0, 130:190].mean() > image[-1, 130:190].mean())


def test_sound_alone_has_none(tmp_path: Path) -> None:
    sound = tmp_path / "sound.m4a"
    run("-f", "lavfi", "-i", "sine=d=1", str(sound))
    assert thumbnail(sound, 0.5) is None
    assert make_thumbnail(sound, 0.5) is None and not (tmp_path / ".thumbnails").exists()


def test_one_that_cannot_be_made_fails_nothing(clip: Path) -> None:
    path = make_thumbnail(clip, 2.0)
    assert path == thumbnail_path(clip) == clip.parent / ".thumbnails" / "clip.jpg" and path.is_file()
    clip.write_bytes(b"no media")
    with pytest.raises(MediaError):
        thumbnail(clip, 2.0)
    assert make_thumbnail(clip, 2.0) is None
    assert not path.exists(), "it showed something else"
    (clip.parent / "a" / ".thumbnails").parent.mkdir()
    (clip.parent / "a" / ".thumbnails").write_text("a file in the way")
    good = clip_of(clip.parent / "a" / "b.mp4", [(SOFT, 1)])
    assert make_thumbnail(good, 0.5) is None
