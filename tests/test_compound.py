"""Compounds of tiny clips: every flash and every tone where it should be, whatever the parts are made of."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from export_media import chapters, flashes, make_clip, pictures, remuxed, tones

from kick_clip_generator.core.errors import Cancelled, InputError, MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.compound import Compound, make_compound
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.part_sound import join_sound
from kick_clip_generator.media.parts import Part, measure
from kick_clip_generator.media.picture_copy import check_pictures, copyable, write_pictures
from kick_clip_generator.media.probe import probe

ROOT = Path(__file__).resolve().parents[1]
IN_STEP_S = 0.04

Clips = Callable[..., Path]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """A clip with these properties, made once."""
    folder = tmp_path_factory.mktemp("parts")
    made: dict[str, Path] = {}

    def build(**options: object) -> Path:
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = make_clip(folder / f"{len(made)}.mp4", **options)  # type: ignore[arg-type]
        return made[key]

    return build


def compound(parts: list[Part], target: Path, **options: float) -> Compound:
    with tempfile.TemporaryDirectory() as temp:
        return make_compound(ffmpeg_path(), parts, target, temp=Path(temp), **options)


def assert_in_step(target: Path, made: Compound, at_s: list[float]) -> None:
    """The flash and the tone of each part are where they are in the part."""
    wanted = [start_s + at for start_s, at in zip(made.starts_s, at_s, strict=True)]
    assert flashes(target) == pytest.approx(wanted, abs=IN_STEP_S)
    assert tones(target) == pytest.approx(wanted, abs=IN_STEP_S)
    assert np.subtract(flashes(target), tones(target)) == pytest.approx(0, abs=IN_STEP_S)


def test_pictures_that_agree_are_copied_to_the_bit(clip: Clips, tmp_path: Path) -> None:
    at_s = [0.5, 0.7, 0.9]
    parts = [Part(clip(at_s=at)) for at in at_s]
    made = compound(parts, tmp_path / "a.mp4")
    assert (made.mode, made.note) == ("copy", "")
    assert made.starts_s == pytest.approx([0, 1.5, 3])
    assert_in_step(tmp_path / "a.mp4", made, at_s)
    theirs = [luma for part in parts for _, luma in pictures(part.path)]
    ours = pictures(tmp_path / "a.mp4")
    assert len(ours) == len(theirs)
    assert all(np.array_equal(mine, other) for (_, mine), other in zip(ours, theirs, strict=True))
    assert np.diff([time_s for time_s, _ in ours]) == pytest.approx(1 / 30, abs=1e-3)


@pytest.mark.parametrize("crossfade_s", [0.0, 0.3])
def test_parts_that_differ_are_brought_to_the_largest_frame(clip: Clips, tmp_path: Path, crossfade_s: float) -> None:
    target = tmp_path / "a.mp4"
    parts = [
        Part(clip(at_s=0.6, size="96x160", fps="25", rate_hz=44_100)),
        Part(clip(at_s=0.7, fps="60000/1001", size="320x192")),
        Part(clip(at_s=0.8, rate_hz=22_050)),
    ]
    made = compound(parts, target, crossfade_s=crossfade_s)
    assert made.mode == "exact"
    assert_in_step(target, made, [0.6, 0.7, 0.8])
    info = probe(target)
    assert (info.width_px, info.height_px) == (320, 192)
    assert info.fps == pytest.approx(59.94, abs=0.1)
    assert info.duration_s == pytest.approx(4.5 - 2 * crossfade_s, abs=0.05)
    # Padded, not stretched: the tall one is 115 of 320 wide.
    first = pictures(target)[0][1]
    assert first[:, :90].max() < 40 < first[:, 120:200].min()
    assert first[:, 230:].max() < 40


@pytest.mark.parametrize("crossfade_s", [0.001, 0.04, 0.1, 0.744])
def test_short_and_long_crossfades(clip: Clips, tmp_path: Path, crossfade_s: float) -> None:
    parts = [Part(clip(at_s=0.2)), Part(clip(at_s=0.6), 0.0, 1.49), Part(clip(at_s=1.2))]
    made = compound(parts, tmp_path / "a.mp4", crossfade_s=crossfade_s)
    assert_in_step(tmp_path / "a.mp4", made, [0.2, 0.6, 1.2])


@pytest.mark.slow
@pytest.mark.parametrize("fps", ["25", "24000/1001"])
def test_many_crossfades_do_not_add_up(clip: Clips, tmp_path: Path, fps: str) -> None:
    made = compound([Part(clip(at_s=0.7, fps=fps))] * 8, tmp_path / "a.mp4", crossfade_s=0.37)
    assert_in_step(tmp_path / "a.mp4", made, [0.7] * 8)


def test_spans_begin_and_end_where_they_should(clip: Clips, tmp_path: Path) -> None:
    path = clip(at_s=0.9, length_s=4.0)
    made = compound([Part(path, 0.5, 1.5), Part(path, 0.8), Part(path, 0.25, 99.0)], tmp_path / "a.mp4")
    assert made.starts_s == pytest.approx([0, 1.0, 4.2], abs=0.02)
    assert_in_step(tmp_path / "a.mp4", made, [0.4, 0.1, 0.65])


def test_a_crossfade_goes_evenly_from_one_part_to_the_next(clip: Clips, tmp_path: Path) -> None:
    gray = clip(at_s=9.0)
    black = remuxed(gray, tmp_path / "black.m4a", "-vn")
    made = compound([Part(gray), Part(black)], tmp_path / "a.mp4", crossfade_s=0.5)
    level = np.array([luma[20:-20].mean() for _, luma in pictures(tmp_path / "a.mp4")])
    first = round(made.starts_s[1] * 30)
    assert np.ptp(level[:first]) < 2 and np.ptp(level[first + 15 :]) < 2
    assert level[first : first + 15] == pytest.approx(np.linspace(level[0], level[-1], 16)[:15], abs=3)


def test_sounds_fade_without_a_dip(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 3000, (3, 48_000, 2)).astype(np.int16)
    heard = [(0, 48_000), (38_000, 86_000), (86_000, 134_000)]
    with (tmp_path / "a").open("wb") as file:
        join_sound(iter(noise), heard, file)
    sound = np.fromfile(tmp_path / "a", "<i2").reshape(-1, 2)
    assert len(sound) == 134_000
    assert np.array_equal(sound[:38_000], noise[0, :38_000])
    assert np.array_equal(sound[48_000:86_000], noise[1, 10_000:])
    assert np.array_equal(sound[86_000:], noise[2])
    loudness = [block.std() for block in np.split(sound[38_000:48_000].astype(float), 5)]
    assert loudness == pytest.approx([3000] * 5, rel=0.1)


@pytest.mark.slow
def test_a_span_deep_in_a_file_is_sought(clip: Clips, tmp_path: Path) -> None:
    path = clip(at_s=7.3, length_s=8.0)
    made = compound([Part(path, 7.0, 8.0), Part(path, 6.5)], tmp_path / "a.mp4")
    assert_in_step(tmp_path / "a.mp4", made, [0.3, 0.8])


@pytest.mark.parametrize("crossfade_s", [0.0, 0.3])
def test_missing_media_are_silence_and_black(clip: Clips, tmp_path: Path, crossfade_s: float) -> None:
    whole = clip(at_s=0.5)
    deaf = remuxed(whole, tmp_path / "deaf.mp4", "-an")
    blind = remuxed(whole, tmp_path / "blind.m4a", "-vn")
    made = compound([Part(deaf), Part(blind), Part(whole)], tmp_path / "a.mp4", crossfade_s=crossfade_s)
    first, second, third = (start_s + 0.5 for start_s in made.starts_s)
    assert flashes(tmp_path / "a.mp4") == pytest.approx([first, third], abs=IN_STEP_S)
    assert tones(tmp_path / "a.mp4") == pytest.approx([second, third], abs=IN_STEP_S)
    assert made.duration_s == pytest.approx(4.5 - 2 * crossfade_s, abs=0.05)
    assert not compound([Part(blind), Part(blind)], tmp_path / "b.m4a").has_video
    assert tones(tmp_path / "b.m4a") == pytest.approx([0.5, 2.0], abs=IN_STEP_S)
    silent = compound([Part(deaf), Part(deaf)], tmp_path / "c.mp4")
    assert (silent.mode, silent.has_audio) == ("copy", False)


def test_a_clip_that_begins_inside_its_media_is_not_copied(clip: Clips, tmp_path: Path) -> None:
    """A stream copy keeps pictures that are not to be shown; joined as they are they would be."""
    hidden = tmp_path / "hidden.mp4"
    args = ["-ss", "0.4", "-i", str(clip(at_s=0.9, length_s=2.0)), "-c", "copy", "-movflags", "+faststart", str(hidden)]
    subprocess.run([ffmpeg_path(), "-v", "error", "-y", *args], check=True, stdin=subprocess.DEVNULL)
    made = compound([Part(hidden), Part(hidden)], tmp_path / "a.mp4")
    assert made.mode == "exact"
    assert_in_step(tmp_path / "a.mp4", made, [0.5, 0.5])


def test_other_parameters_are_not_copied(clip: Clips, tmp_path: Path) -> None:
    other = clip(at_s=0.5, options=("-bf", "0", "-profile:v", "baseline"))
    made = compound([Part(clip(at_s=0.5)), Part(other)], tmp_path / "a.mp4")
    assert made.mode == "exact"
    assert_in_step(tmp_path / "a.mp4", made, [0.5, 0.5])


@pytest.mark.parametrize("crossfade_s", [0.0, 0.3])
def test_chapters_say_where_each_part_begins(clip: Clips, tmp_path: Path, crossfade_s: float) -> None:
    titles = ["1. a=b; #1 \\ 'c' \"d\"", "2. 💀 مرحبا\n[CHAPTER]\u202e", "x" * 900]
    made = compound(
        [Part(clip(at_s=0.5), title=title) for title in titles], tmp_path / "a.mp4", crossfade_s=crossfade_s
    )
    found = chapters(tmp_path / "a.mp4")
    assert [begin_s for begin_s, _, _ in found] == pytest.approx(made.starts_s, abs=2e-3)
    assert [end_s for _, end_s, _ in found] == pytest.approx([*made.starts_s[1:], made.duration_s], abs=2e-3)
    assert [title for _, _, title in found] == [titles[0], "2. 💀 مرحبا [CHAPTER]", "x" * 200]


@pytest.mark.parametrize(("crossfade_s", "count", "said"), [(0.8, 2, "less than 0.8"), (0.0, 51, "50"), (0.0, 0, "50")])
def test_what_cannot_be_joined_is_one_sentence(
    clip: Clips, tmp_path: Path, crossfade_s: float, count: int, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        compound([Part(clip(at_s=0.5))] * count, tmp_path / "a.mp4", crossfade_s=crossfade_s)


def test_what_fails_leaves_nothing(clip: Clips, tmp_path: Path) -> None:
    target = tmp_path / "a.part"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip(at_s=0.5).read_bytes()[:400])
    for parts in ([Part(broken)], [Part(clip(at_s=0.5), 7.0)], [Part(clip(at_s=0.5)), Part(tmp_path / "none.mp4")]):
        with pytest.raises(MediaError):
            compound(parts, target)
    stopped = CancelToken()
    stopped.cancel()
    with pytest.raises(Cancelled):
        make_compound(ffmpeg_path(), [Part(clip(at_s=0.5), 0.1)], target, temp=tmp_path, cancel=stopped)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mp4"]


def test_pictures_that_changed_when_they_were_joined_are_noticed(clip: Clips, tmp_path: Path) -> None:
    first, second, other = (copyable([measure(Part(clip(at_s=at_s)))]) for at_s in (0.5, 0.7, 0.0))
    assert first and second and other
    target = tmp_path / "a.mp4"
    write_pictures(first + second, [0.0, 1.5], target, None)
    check_pictures(first + second, [0.0, 1.5], target)
    with pytest.raises(MediaError, match=r"Picture 1 of .* changed"):
        check_pictures(first + other, [0.0, 1.5], target)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of file sizes")
def test_a_full_disk_leaves_nothing(clip: Clips, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    temp = tmp_path_factory.mktemp("temp")
    code = f"""
import resource
from pathlib import Path
from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.compound import make_compound
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.part_sound import join_sound
from kick_clip_generator.media.parts import Part
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for crossfade_s in (0.0, 0.3):
    options = dict(temp=Path({str(temp)!r}), crossfade_s=crossfade_s)
    try:
        make_compound(ffmpeg_path(), [Part(Path({str(clip(at_s=0.5))!r}))] * 2, Path("a.part"), **options)
    except MediaError as error:
        print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert len(done.stdout.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []
