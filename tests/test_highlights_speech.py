"""No clip begins or ends inside a word where a pause is in reach, known from a transcript or a detector of voices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_highlights_detect import CONFIG, excite, noise
from test_highlights_kinds import beside

from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.highlights.boundaries import Boundaries, score_boundaries
from kick_clip_generator.highlights.clip_window import TO_PAUSE_S
from kick_clip_generator.highlights.config import V2Config
from kick_clip_generator.highlights.detect import DetectionConfig, segment

V2 = V2Config()
TICKS = 600
EVENTS = (Span(60, 68), Span(130, 142), Span(220, 229))
REACH = round(TO_PAUSE_S / TICK_S)


def talk(seed: int, words_s: float, pause_s: float) -> NDArray[np.float64]:
    """1 in pauses, 0 in runs of words, by turns of random length."""
    random = np.random.default_rng(seed)
    pause: list[float] = []
    while len(pause) < TICKS:
        pause += [0.0] * max(1, round(random.exponential(words_s) / TICK_S))
        pause += [1.0] * max(1, round(random.exponential(pause_s) / TICK_S))
    return np.array(pause[:TICKS])


def a_stream(pause: NDArray[np.float64], column: str) -> Timeline:
    timeline = noise(TICKS)
    for event in EVENTS:
        timeline = excite(timeline, event)
    values = pause if column == "speech_pause" else np.where(pause > 0, 0.1, 0.9)
    return beside(timeline, [column], [values])


def found(timeline: Timeline, config: DetectionConfig) -> tuple[list[Highlight], Boundaries]:
    segmentation = segment(timeline, config)
    assert segmentation.boundaries is not None and segmentation.detection.merged
    return [proposal.highlight for proposal in segmentation.proposals], segmentation.boundaries


def ends_inside(clip: Span, boundaries: Boundaries) -> int:
    return sum(boundaries.inside_word(time_s / TICK_S) for time_s in (clip.start_s, clip.end_s))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    words_s=st.floats(0.5, 12),
    pause_s=st.floats(0.5, 3),
    column=st.sampled_from(["speech_pause", "voice_activity"]),
)
def test_no_clip_begins_or_ends_inside_a_word_where_a_pause_is_in_reach(
    seed: int, words_s: float, pause_s: float, column: str
) -> None:
    clips, boundaries = found(a_stream(talk(seed, words_s, pause_s), column), CONFIG)
    free = ~boundaries.inside_words
    for one in clips:
        start, end = round(one.clip.start_s / TICK_S), round(one.clip.end_s / TICK_S)
        room = round((CONFIG.max_clip_s - one.clip.duration_s) / TICK_S)
        if not free[start]:
            assert not free[max(0, start - min(REACH, room)) : start].any()
        if not free[end]:
            assert not free[end : min(TICKS, end + min(REACH, room)) + 1].any()
        assert one.clip.start_s <= one.event.start_s and one.event.end_s <= one.clip.end_s
        assert CONFIG.min_clip_s <= one.clip.duration_s <= CONFIG.max_clip_s


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), words_s=st.floats(0.5, 8), duration_s=st.sampled_from([15.0, 20.5, 30.0]))
@pytest.mark.parametrize("mode", ["v2", "v1"])
def test_a_clip_of_fixed_length_is_moved_to_pauses(mode: str, seed: int, words_s: float, duration_s: float) -> None:
    config = replace(CONFIG, clip_duration_s=duration_s, mode=mode)  # type: ignore[arg-type]
    timeline = a_stream(talk(seed, words_s, 1.0), "speech_pause")
    clips, boundaries = found(timeline, config)
    unmoved, _ = found(replace(timeline, names=timeline.names[:-1], values=timeline.values[:, :-1]), config)
    before = {(one.kind, one.event): one.clip for one in unmoved}
    for one in clips:
        assert one.clip.duration_s == pytest.approx(duration_s)
        plain = before[one.kind, one.event]
        reachable = [plain]
        for step in range(-REACH, REACH + 1):
            start_s = plain.start_s + step * TICK_S
            if 0 <= start_s <= TICKS * TICK_S - duration_s:
                moved = Span(start_s, start_s + duration_s)
                as_much = one.event.overlap_s(moved) >= one.event.overlap_s(plain) - 1e-9
                if as_much and moved.start_s <= one.peak_s <= moved.end_s:
                    reachable.append(moved)
        assert ends_inside(one.clip, boundaries) == min(ends_inside(moved, boundaries) for moved in reachable)


def test_what_is_said_moves_clips_and_a_transcript_counts_more_than_a_detector() -> None:
    silent, _ = found(a_stream(np.ones(TICKS), "speech_pause"), CONFIG)
    pause = np.zeros(TICKS)
    pause[::9] = 1.0
    spoken, boundaries = found(a_stream(pause, "speech_pause"), CONFIG)
    assert [one.event for one in spoken] == [one.event for one in silent]
    assert [one.clip for one in spoken] != [one.clip for one in silent]
    heard = beside(a_stream(pause, "speech_pause"), ["voice_activity"], [np.full(TICKS, 0.9)])
    assert [one.clip for one in found(heard, CONFIG)[0]] == [one.clip for one in spoken]
    assert sum(ends_inside(one.clip, boundaries) for one in spoken) == 0


def test_where_nothing_is_known_of_speech_nothing_changes() -> None:
    plain = noise(TICKS)
    for event in EVENTS:
        plain = excite(plain, event)
    unknown = beside(plain, ["speech_pause", "voice_activity", "sentence_end"], [np.full(TICKS, np.nan)] * 3)
    assert [one.clip for one in found(unknown, CONFIG)[0]] == [one.clip for one in found(plain, CONFIG)[0]]
    scores = score_boundaries(unknown, V2)
    np.testing.assert_array_equal(scores.scores, score_boundaries(plain, V2).scores)
    assert np.isnan(scores.components["pause"]).all() and not scores.inside_words.any()


def test_a_pause_and_the_end_of_a_sentence_are_boundaries() -> None:
    pause, ends = np.zeros(TICKS), np.zeros(TICKS)
    pause[100:103] = 1.0
    pause[300:400] = 1.0
    ends[200] = 1.0
    timeline = beside(Timeline.unknown(("rms",), 0, TICKS), ["speech_pause", "sentence_end"], [pause, ends])
    found = score_boundaries(timeline, V2)
    assert (found.components["pause"][[99, 100, 103, 104]] == [0, 1, 1, 0]).all()
    assert np.isnan(found.components["pause"][350]), "where nobody speaks for long there is no pause"
    assert found.components["sentence_end"][201] == 1 and found.scores[201] > found.scores[190]
    assert {100, 103} <= set(np.flatnonzero(found.scores > 0.3).tolist())
    assert found.inside_words[50] and not found.inside_words[[0, 100, 101, 102, 103, 350, TICKS]].any()
