"""The demo stream: its truth holds in what is heard and seen, and the file is made once, whole."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from kick_clip_generator.core.errors import Cancelled, MediaError
from kick_clip_generator.core.progress import CancelToken, Progress, silent
from kick_clip_generator.media.check import check_clip
from kick_clip_generator.media.demo import DemoEvent, demo_events, make_demo
from kick_clip_generator.media.demo_picture import FPS, HEIGHT_PX, WIDTH_PX, demo_picture
from kick_clip_generator.media.demo_sound import RATE_HZ, demo_sound
from kick_clip_generator.media.ffmpeg import ffmpeg_path

pytestmark = pytest.mark.slow

LENGTH_S = 180.0
EVENTS = demo_events(0, LENGTH_S)


def middle(event: DemoEvent) -> slice:
    """Half-second ticks of the event's loud part: after the rise, before the ebb."""
    return slice(round((event.start_s + 1.5) * 2), round((event.start_s + (event.end_s - event.start_s) * 0.6) * 2))


@pytest.fixture(scope="module")
def calm() -> np.ndarray:
    """Which ticks lie at least 2 s away from anything."""
    ticks_s = np.arange(int(LENGTH_S * 2)) / 2
    return np.all([(ticks_s < e.start_s - 2) | (ticks_s > e.end_s + 2) for e in EVENTS], axis=0)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Samples of each tick, left channel, shape (ticks, samples)."""
    pcm = np.frombuffer(b"".join(demo_sound(EVENTS, LENGTH_S, 0)), "<i2")
    assert len(pcm) == 2 * LENGTH_S * RATE_HZ
    return pcm[::2].astype(np.float32).reshape(-1, RATE_HZ // 2)


@pytest.fixture(scope="module")
def motion() -> np.ndarray:
    """Mean difference from frame to frame in each tick; coarse, without the clock."""
    differences: list[float] = []
    last = None
    for data in demo_picture(EVENTS, LENGTH_S, 0, silent):
        frame = np.frombuffer(data, np.uint8).reshape(HEIGHT_PX, WIDTH_PX, 3)[20::3, ::3, 1].astype(np.int16)
        differences.append(0.0 if last is None else float(np.abs(frame - last).mean()))
        last = frame
    return np.array(differences).reshape(-1, FPS // 2).mean(axis=1)


def test_events_are_known_ordered_and_apart() -> None:
    assert demo_events(0, LENGTH_S) == EVENTS
    assert demo_events(1, LENGTH_S) != EVENTS
    assert {event.kind for event in EVENTS} == {"both", "audio", "video", "engine", "cuts"}
    assert 3 <= sum(event.highlight for event in EVENTS) <= 7
    for duration_s in (5.0, 30.0, LENGTH_S, 600.0):
        for seed in range(20):
            events = demo_events(seed, duration_s)
            edges = [0.0, *(edge for event in events for edge in (event.start_s, event.end_s)), duration_s]
            assert edges == sorted(edges)


def test_crowd_is_heard_where_the_truth_says(sound: np.ndarray, calm: np.ndarray) -> None:
    level_db = 20 * np.log10(np.sqrt((sound**2).mean(axis=1)) / 32768)
    assert level_db[calm].max() < -25
    for event in EVENTS:
        excess_db = level_db[middle(event)].min() - np.median(level_db[calm])
        if event.kind in ("both", "audio", "engine"):
            assert excess_db > 12, event
        else:
            assert excess_db < 6, event


def test_engine_is_as_loud_as_the_crowd_but_steady_and_tonal(sound: np.ndarray) -> None:
    levels = {e.kind: np.sqrt((sound[middle(e)] ** 2).mean(axis=1)) for e in EVENTS}
    assert levels["engine"].mean() > 0.5 * levels["both"].mean()
    assert levels["engine"].std() / levels["engine"].mean() < 0.05
    flatness = {}
    for event in EVENTS:
        power = np.abs(np.fft.rfft(sound[middle(event)], axis=1))[:, 50:3000] ** 2 + 1
        flatness[event.kind] = float(np.median(np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)))
    assert flatness["engine"] < 0.1 * flatness["both"]


def test_sound_is_not_clipped(sound: np.ndarray) -> None:
    assert np.abs(sound).max() <= 32000
    assert (np.abs(sound) > 31000).mean() < 1e-3


def test_action_is_seen_where_the_truth_says(motion: np.ndarray, calm: np.ndarray) -> None:
    usual = motion[calm].max()
    for event in EVENTS:
        strongest = motion[middle(event)].mean()
        if event.kind in ("both", "video"):
            assert strongest > 5 * usual, event
        elif event.kind == "cuts":
            # One frame in 15 differs, and that one wholly.
            assert strongest > usual
        else:
            assert strongest < 1.5 * usual, event


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo"), ffmpeg_path(), duration_s=5.0)


def test_file_is_what_it_says(demo: Path) -> None:
    check_clip(demo, duration_s=5.0, has_video=True, has_audio=True)
    assert [path.name for path in demo.parent.iterdir()] == [demo.name]
    with av.open(str(demo)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.average_rate, video.codec_context.name) == (1280, 720, 30, "h264")
        assert (audio.rate, audio.channels, audio.codec_context.name) == (48000, 2, "aac")


def test_same_seed_gives_the_same_file_and_another_another(demo: Path, tmp_path: Path) -> None:
    again = make_demo(tmp_path, ffmpeg_path(), duration_s=5.0)
    assert again.read_bytes() == demo.read_bytes()
    other = make_demo(tmp_path, ffmpeg_path(), duration_s=5.0, seed=5)
    assert other != again
    assert other.read_bytes() != again.read_bytes()


def test_file_is_made_once_and_again_when_damaged(demo: Path, tmp_path: Path) -> None:
    copy = tmp_path / demo.name
    copy.write_bytes(demo.read_bytes())
    before = copy.stat().st_mtime_ns
    assert make_demo(tmp_path, ffmpeg_path(), duration_s=5.0) == copy
    assert copy.stat().st_mtime_ns == before
    copy.write_bytes(demo.read_bytes()[:1000])
    seen: list[Progress] = []
    make_demo(tmp_path, ffmpeg_path(), duration_s=5.0, progress=seen.append)
    assert [(step.done, step.total) for step in seen] == [(n, 5) for n in range(5)]
    check_clip(copy, duration_s=5.0, has_video=True, has_audio=True)


def test_stopped_or_failed_making_leaves_nothing(tmp_path: Path) -> None:
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        make_demo(tmp_path, ffmpeg_path(), duration_s=20.0, progress=lambda _: cancel.cancel(), cancel=cancel)
    assert not list(tmp_path.iterdir())

    def fail(_: Progress) -> None:
        raise RuntimeError("the callback failed")

    with pytest.raises(RuntimeError, match="the callback failed"):
        make_demo(tmp_path, ffmpeg_path(), duration_s=20.0, progress=fail)
    assert not list(tmp_path.iterdir())


def test_unusable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MediaError, match="can't be written to"):
        make_demo(tmp_path / "file", ffmpeg_path(), duration_s=5.0)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), 1e9])
def test_senseless_durations_are_refused(tmp_path: Path, duration_s: float) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        make_demo(tmp_path, ffmpeg_path(), duration_s=duration_s)
