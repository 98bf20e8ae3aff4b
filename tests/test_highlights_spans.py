"""Laws of event spans and of the clips around them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_highlights_detect import CONFIG, EVENT, excite, noise

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.boundaries import COMPONENTS, Boundaries, score_boundaries
from kick_clip_generator.highlights.clip_window import TAIL_S, chosen_window, fixed_window
from kick_clip_generator.highlights.config import V2Config
from kick_clip_generator.highlights.detect import detect
from kick_clip_generator.highlights.events import DURATIONS_S, events_at, find_events

STREAM = Span(0.0, 300.0)
TICKS = round(STREAM.duration_s / TICK_S)
V2 = V2Config()
SILENT = np.zeros(TICKS, np.bool_)


def boundaries_at(*ticks: int) -> Boundaries:
    """Good places to cut at these ticks and nowhere else."""
    scores = np.zeros(TICKS + 1)
    scores[list(ticks)] = 0.6
    return Boundaries(scores, MappingProxyType(dict.fromkeys(COMPONENTS, scores)), SILENT)


@pytest.mark.parametrize("duration_s", [6, 9, 12, 15])
@pytest.mark.parametrize("start_s", [0, 37, 285])
def test_the_span_of_a_box_is_found(start_s: int, duration_s: int) -> None:
    parts = np.zeros((TICKS, 1))
    parts[2 * start_s : 2 * (start_s + duration_s)] = 1.0
    (best, *_) = find_events(parts, count=5, min_gap_s=10)
    assert best.span(0.0).temporal_iou(Span(start_s, min(start_s + duration_s, 300))) > 0.75
    assert 2 * start_s <= best.peak < 2 * (start_s + duration_s)


def test_the_parts_of_an_event_add_up_to_its_response() -> None:
    parts = np.random.default_rng(0).standard_normal((600, 4))
    found = find_events(parts, count=20, min_gap_s=5)
    assert len(found) > 5
    for candidate in found:
        assert candidate.parts.sum() == pytest.approx(candidate.response, abs=1e-9)
        assert candidate.stop - candidate.first in [round(duration_s / TICK_S) for duration_s in DURATIONS_S]


def test_a_step_that_stays_is_less_than_a_burst() -> None:
    burst, step = np.zeros((600, 1)), np.zeros((600, 1))
    burst[300:320] = 1.0
    step[300:] = 1.0
    assert (
        find_events(burst, count=1, min_gap_s=0)[0].response > 1.2 * find_events(step, count=1, min_gap_s=0)[0].response
    )


@settings(max_examples=60, deadline=None)
@given(
    start_s=st.integers(0, 280),
    length_s=st.integers(5, 20),
    where=st.floats(0, 0.99),
    low_s=st.floats(1, 30),
    more_s=st.floats(0, 60),
    seed=st.integers(0, 100),
)
def test_a_chosen_clip_holds_its_peak_and_keeps_its_limits(
    start_s: int, length_s: int, where: float, low_s: float, more_s: float, seed: int
) -> None:
    event = Span(start_s, min(start_s + length_s, STREAM.end_s))
    peak_s = event.start_s + where * event.duration_s
    random = np.random.default_rng(seed)
    scores = random.random(TICKS + 1)
    clip = chosen_window(
        event,
        peak_s,
        excitement=random.standard_normal(TICKS).cumsum(),
        boundaries=Boundaries(scores, MappingProxyType(dict.fromkeys(COMPONENTS, scores)), SILENT),
        bounds=STREAM,
        min_s=low_s,
        max_s=low_s + more_s,
        config=V2,
    ).span
    assert STREAM.start_s <= clip.start_s <= peak_s <= clip.end_s <= STREAM.end_s
    assert low_s - 1e-9 <= clip.duration_s <= low_s + more_s + 1e-9


def test_without_boundaries_a_clip_has_the_usual_lead_in_and_tail() -> None:
    clip = _chosen(Span(100, 110), np.zeros(TICKS), boundaries_at())
    assert clip == Span(103 - V2.pre_fallback, 103 + V2.post_fallback)
    late = chosen_window(
        Span(100, 119),
        118.0,
        excitement=np.zeros(TICKS),
        boundaries=boundaries_at(),
        bounds=STREAM,
        min_s=5.0,
        max_s=60.0,
        config=V2,
    ).span
    assert late.start_s < 100, "the whole event is inside"


def test_a_clip_does_not_end_while_the_excitement_is_above_its_half() -> None:
    excitement = np.zeros(TICKS)
    excitement[200:220] = 4.0
    excitement[220:240] = 3.0
    assert _chosen(Span(100, 110), excitement, boundaries_at()).end_s == 120 + TAIL_S
    # A good place to end in the middle of the reaction is none.
    assert _chosen(Span(100, 110), excitement, boundaries_at(230)).end_s == 120 + TAIL_S
    excitement[220:240] = 1.0
    assert _chosen(Span(100, 110), excitement, boundaries_at(230)).end_s == 115


def test_ends_are_boundaries_where_there_are_some_and_never_inside_the_event() -> None:
    clip = _chosen(Span(100, 110), np.zeros(TICKS), boundaries_at(186, 203, 218, 225))
    assert clip == Span(93.0, 112.5)
    nearer = _chosen(Span(100, 110), np.zeros(TICKS), boundaries_at(180, 189, 229, 250))
    assert nearer == Span(94.5, 114.5)


def _chosen(event: Span, excitement: np.ndarray, boundaries: Boundaries) -> Span:
    return chosen_window(
        event,
        event.start_s + 3,
        excitement=excitement,
        boundaries=boundaries,
        bounds=STREAM,
        min_s=5.0,
        max_s=60.0,
        config=V2,
    ).span


@given(start_s=st.floats(0, 290), length_s=st.floats(1, 10), where=st.floats(0, 1), duration_s=st.floats(1, 500))
def test_a_fixed_clip_has_its_length_unless_the_stream_is_shorter(
    start_s: float, length_s: float, where: float, duration_s: float
) -> None:
    event = Span(start_s, start_s + length_s)
    peak_s = min(event.start_s + where * event.duration_s, event.end_s)
    clip = fixed_window(event, peak_s, duration_s, STREAM, boundaries_at()).span
    assert clip.duration_s == pytest.approx(min(duration_s, STREAM.duration_s))
    assert STREAM.start_s - 1e-9 <= clip.start_s <= peak_s + 1e-9
    assert peak_s - 1e-9 <= clip.end_s <= STREAM.end_s + 1e-9
    if duration_s >= event.duration_s:
        assert clip.start_s <= event.start_s + 1e-9 and event.end_s - 1e-9 <= clip.end_s


def test_a_fixed_clip_has_a_third_before_the_peak() -> None:
    assert fixed_window(Span(100, 110), 104.0, 30.0, STREAM, boundaries_at()).span == Span(94.0, 124.0)


@pytest.mark.parametrize("duration_s", [5.0, 17.3, 30.0, 599.0, 900.0])
def test_all_clips_have_the_fixed_duration(duration_s: float) -> None:
    timeline = excite(excite(noise(1200), EVENT), Span(2, 9), 4.0)
    timeline = excite(timeline, Span(590, 600), 4.0)
    highlights = detect(timeline, replace(CONFIG, clip_duration_s=duration_s)).merged
    # Long clips show each other's moments, and then the best one stays.
    assert len(highlights) >= (3 if duration_s <= 30 else 1)
    for highlight in highlights:
        assert highlight.clip.duration_s == pytest.approx(min(duration_s, 600.0))


def test_the_limits_of_chosen_clips_are_kept_and_events_do_not_depend_on_them() -> None:
    timeline = excite(noise(1200), EVENT)
    free = detect(timeline, CONFIG).merged
    tight = detect(timeline, replace(CONFIG, min_clip_s=8.0, max_clip_s=9.0)).merged
    assert [h.event for h in tight] == [h.event for h in free]
    assert all(8.0 - 1e-9 <= h.clip.duration_s <= 9.0 + 1e-9 for h in tight)


def test_cuts_move_clips_but_not_events() -> None:
    timeline = excite(noise(1200), EVENT)
    values = timeline.values.copy()
    values[:, NAMES.index("scene_cut")] = np.nan
    plain = detect(replace(timeline, values=values), CONFIG).merged
    values = values.copy()
    # A second behind where the clip would begin.
    tick = round(plain[0].clip.start_s / TICK_S) + 2
    values[tick, NAMES.index("scene_cut")] = 1.0
    cut = detect(replace(timeline, values=values), CONFIG).merged
    assert [(h.event, h.score) for h in cut] == [(h.event, h.score) for h in plain]
    assert cut[0].clip.start_s == (tick + 1) * TICK_S, "right behind the cut"


def test_a_cut_is_a_boundary_behind_its_tick_and_a_pause_one_at_both_ends() -> None:
    values = np.full((TICKS, len(NAMES)), np.nan, np.float32)
    values[:, NAMES.index("scene_cut")] = 0.0
    values[:, NAMES.index("rms_db")] = -20.0
    values[100, NAMES.index("scene_cut")] = 1.0
    values[300:303, NAMES.index("rms_db")] = -50.0
    found = score_boundaries(Timeline(NAMES, values), V2)
    assert len(found.scores) == TICKS + 1
    assert int(found.scores[:200].argmax()) == 101
    # What is not known shares its weight: scene and dip alone are all there is.
    total = V2.boundary_w_scene + V2.boundary_w_audio_dip
    assert found.scores[101] == pytest.approx(V2.boundary_w_scene / total)
    assert found.scores[300] == found.scores[303] == pytest.approx(V2.boundary_w_audio_dip / total)
    assert found.scores[400] == 0.0
    assert 101 in found.candidates(0.3) and 400 not in found.candidates(0.0)


def test_beside_a_better_boundary_a_boundary_is_worth_less() -> None:
    values = np.full((TICKS, len(NAMES)), np.nan, np.float32)
    values[:, NAMES.index("scene_cut")] = 0.0
    values[[100, 102, 200], NAMES.index("scene_cut")] = (0.9, 0.8, 0.8)
    scores = score_boundaries(Timeline(NAMES, values), V2).scores
    assert scores[101] == pytest.approx(0.9)
    assert scores[103] < scores[201] == pytest.approx(0.8)


def test_nothing_known_is_no_boundary_and_nothing_nan() -> None:
    for ticks in (0, 1, 7):
        scores = score_boundaries(Timeline.unknown(NAMES, 0, ticks), V2).scores
        np.testing.assert_array_equal(scores, np.zeros(ticks + 1))


def test_given_stretches_are_judged_as_found_ones() -> None:
    parts = np.zeros((TICKS, 2))
    parts[200:220] = 1.0
    (found, *_) = find_events(parts, count=5, min_gap_s=10)
    given_, *rest = events_at(parts, [(0, 50), (found.first, found.stop), (400, 450)])
    assert rest == []
    assert (given_.first, given_.stop, given_.peak) == (found.first, found.stop, found.peak)
    assert given_.response == pytest.approx(found.response)
