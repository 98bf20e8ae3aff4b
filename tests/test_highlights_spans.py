"""Laws of event spans and of the clips around them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_highlights_detect import CONFIG, EVENT, excite, noise

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.clip_span import LEAD_IN_S, REACH_S, chosen_clip, fixed_clip
from kick_clip_generator.highlights.detect import detect
from kick_clip_generator.highlights.events import DURATIONS_S, find_events

STREAM = Span(0.0, 300.0)
TICKS = round(STREAM.duration_s / TICK_S)
NO_CUTS = np.full(TICKS, np.nan)


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
    clip = chosen_clip(
        event,
        peak_s,
        excitement=random.standard_normal(TICKS).cumsum(),
        cuts=random.random(TICKS),
        bounds=STREAM,
        min_s=low_s,
        max_s=low_s + more_s,
    )
    assert STREAM.start_s <= clip.start_s <= peak_s <= clip.end_s <= STREAM.end_s
    assert low_s - 1e-9 <= clip.duration_s <= low_s + more_s + 1e-9


def test_a_chosen_clip_leads_in_and_waits_for_the_reaction() -> None:
    excitement = np.zeros(TICKS)
    excitement[200:220] = 4.0
    excitement[220:232] = 3.0
    clip = _chosen(Span(100, 110), excitement, NO_CUTS)
    assert LEAD_IN_S - REACH_S <= 100 - clip.start_s <= LEAD_IN_S + REACH_S
    assert clip.end_s > 116
    short = excitement.copy()
    short[220:232] = 1.0
    assert _chosen(Span(100, 110), short, NO_CUTS).end_s < 116


def test_the_lead_in_starts_behind_a_cut_or_at_the_calmest_instant() -> None:
    excitement = np.ones(TICKS)
    excitement[220:] = 0.0
    excitement[190] = -1.0
    assert _chosen(Span(100, 110), excitement, NO_CUTS).start_s == 95.0
    cuts = NO_CUTS.copy()
    cuts[193] = 0.9
    assert _chosen(Span(100, 110), excitement, cuts).start_s == 97.0


def _chosen(event: Span, excitement: np.ndarray, cuts: np.ndarray) -> Span:
    return chosen_clip(event, event.start_s + 3, excitement=excitement, cuts=cuts, bounds=STREAM, min_s=5.0, max_s=60.0)


@given(start_s=st.floats(0, 290), length_s=st.floats(1, 10), where=st.floats(0, 1), duration_s=st.floats(1, 500))
def test_a_fixed_clip_has_its_length_unless_the_stream_is_shorter(
    start_s: float, length_s: float, where: float, duration_s: float
) -> None:
    event = Span(start_s, start_s + length_s)
    peak_s = min(event.start_s + where * event.duration_s, event.end_s)
    clip = fixed_clip(event, peak_s, duration_s, STREAM)
    assert clip.duration_s == pytest.approx(min(duration_s, STREAM.duration_s))
    assert STREAM.start_s - 1e-9 <= clip.start_s <= peak_s + 1e-9
    assert peak_s - 1e-9 <= clip.end_s <= STREAM.end_s + 1e-9
    if duration_s >= event.duration_s:
        assert clip.start_s <= event.start_s + 1e-9 and event.end_s - 1e-9 <= clip.end_s


def test_a_fixed_clip_has_a_third_before_the_peak() -> None:
    assert fixed_clip(Span(100, 110), 104.0, 30.0, STREAM) == Span(94.0, 124.0)


@pytest.mark.parametrize("duration_s", [5.0, 17.3, 30.0, 599.0, 900.0])
def test_all_clips_have_the_fixed_duration(duration_s: float) -> None:
    timeline = excite(excite(noise(1200), EVENT), Span(2, 9), 4.0)
    timeline = excite(timeline, Span(590, 600), 4.0)
    highlights = detect(timeline, replace(CONFIG, clip_duration_s=duration_s)).merged
    assert len(highlights) >= 3
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
