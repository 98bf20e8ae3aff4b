"""Cuts, black and frozen spans over the signals, and those of ffmpeg's own filters on the same made stream."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench.video_references import ffmpeg_spans, small_frames
from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.features.derived import black_spans, cuts, freezes
from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.features.video import VideoFeatures
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from tests.test_features_video import features, panning, picture, texture

NAN = float("nan")


def near(found: list[Span], expected: list[Span]) -> bool:
    """Whether all spans and no others came back, each end within a tick."""
    return len(found) == len(expected) and all(
        abs(ours.start_s - theirs.start_s) <= TICK_S and abs(ours.end_s - theirs.end_s) <= TICK_S
        for ours, theirs in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("offset", range(4))
def test_black_frozen_and_cut_come_back_within_a_tick(offset):
    moving = panning(12, 4, 60)
    start = 12 + offset
    black = moving[:start] + [picture(16)] * 5 + moving[start + 5 :]
    assert near(black_spans(features(black)["black_ratio"]), [Span(start / 4, (start + 5) / 4)])
    frozen = moving[:start] + [moving[start]] * 10 + moving[start + 10 :]
    assert near(freezes(features(frozen)["picture_change"]), [Span(start / 4, (start + 10) / 4)])
    cut = [picture(texture(1 if i < start else 2)) for i in range(48)]
    assert cuts(features(cut)["scene_strength"]) == [Span(start // 2 / 2, start // 2 / 2 + 0.5)]


def test_a_single_black_picture_is_enough_and_a_dark_one_is_not():
    moving = panning(8, 4, 60)
    assert black_spans(features([*moving[:15], picture(16), *moving[16:]])["black_ratio"]) == [Span(3.5, 4)]
    assert black_spans(features([*moving[:15], picture(45), *moving[16:]])["black_ratio"]) == []


def test_spans_count_from_the_first_tick_and_respect_their_least_length():
    ratio = np.array([0, 1, 0.99, 0.97, 1, 0], np.float32)
    assert black_spans(ratio) == [Span(0.5, 1.5), Span(2, 2.5)]
    assert black_spans(ratio, first_tick=20, least_s=1) == [Span(10.5, 11.5)]
    assert black_spans(ratio, at_least=0.9) == [Span(0.5, 2.5)]
    change = np.array([5, 0.7, 0.8, 0.1, 0.1, 0.1, 9], np.float32)
    # The picture that the first still tick is compared with is part of it.
    assert freezes(change) == [Span(0, 1), Span(1, 3)]
    assert freezes(change, least_s=1, first_tick=2) == [Span(2, 4)]
    assert freezes(change, share=0.01) == [Span(0, 3)]
    strength = np.array([0.29, 0.31, 0.9, 0.1], np.float32)
    assert cuts(strength) == [Span(0.5, 1), Span(1, 1.5)]
    assert cuts(strength, at_least=0.5, first_tick=4) == [Span(3, 3.5)]


@pytest.mark.parametrize("spans_of", [cuts, black_spans, freezes])
def test_nothing_is_found_in_nothing_and_in_the_unknown(spans_of):
    assert spans_of(np.empty(0, np.float32)) == []
    assert spans_of(np.full(8, NAN, np.float32)) == []


def test_unknown_ends_a_span():
    assert black_spans(np.array([1, NAN, 1], np.float32)) == [Span(0, 0.5), Span(1, 1.5)]
    assert freezes(np.array([0, NAN, NAN, 0], np.float32)) == [Span(0, 0.5), Span(1, 2)]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s at 25 fps: moving, black from 2.4 to 3.68, moving, another scene from 6 s, which freezes at 8.2 s."""
    target = tmp_path_factory.mktemp("structure") / "made.mkv"
    graph = (
        "testsrc2=s=320x180:r=25:d=6,noise=alls=8:allf=t,drawbox=c=black:t=fill:enable='between(t,2.39,3.67)'[a];"
        "mandelbrot=s=320x180:r=25:maxiter=40,trim=end=2.2,tpad=stop_mode=clone:stop_duration=3.8,setpts=PTS-STARTPTS[b];"
        "[a][b]concat=n=2"
    )
    command = [ffmpeg_path(None), "-v", "error", "-nostdin", "-filter_complex", graph, "-c:v", "libx264", "-t", "12"]
    subprocess.run([*command, "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", str(target)], check=True)
    return target


def test_spans_of_a_stream_are_those_of_ffmpeg(stream):
    ffmpeg = str(ffmpeg_path(None))
    values = dict(zip(VIDEO_NAMES, VideoFeatures(4).push(small_frames(ffmpeg, stream, 12)).T, strict=True))
    theirs = ffmpeg_spans(ffmpeg, stream, 12)
    assert len(theirs["black"]) == 1 and len(theirs["freeze"]) == 2 and len(theirs["cut"]) == 3
    assert near(black_spans(values["black_ratio"]), theirs["black"])
    assert near(freezes(values["picture_change"]), theirs["freeze"])
    # Of a cut the tick comes back; into black and out of it is one, too.
    for ours, cut in zip(cuts(values["scene_strength"]), theirs["cut"], strict=True):
        assert ours.start_s - 0.25 <= cut.start_s < ours.end_s
