"""Laws of the stages of detection: scenes, variation, quality, near duplicates, filters; what a run keeps of them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from test_highlights_detect import CONFIG, EVENT, excite, noise

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights import filters
from kick_clip_generator.highlights.clip_window import ClipWindow
from kick_clip_generator.highlights.config import V1Config, V2Config
from kick_clip_generator.highlights.detect import segment
from kick_clip_generator.highlights.filters import Proposal
from kick_clip_generator.highlights.near_duplicates import PICTURE, SOUND, Appearance
from kick_clip_generator.highlights.quality import Quality, measure_quality
from kick_clip_generator.highlights.scenes import find_scenes
from kick_clip_generator.highlights.variation import COEFFICIENTS, timbre_variation

V2 = V2Config()
DESCRIPTORS = PICTURE + SOUND
STREAM = Span(0.0, 300.0)


def cuts_at(ticks: int, *cuts: int) -> Timeline:
    values = np.full((ticks, len(NAMES)), np.nan, np.float32)
    values[:, NAMES.index("scene_strength")] = 0.05
    values[list(cuts), NAMES.index("scene_strength")] = 0.4
    return Timeline(NAMES, values)


def proposal(index: int, start_s: float, score: float, quality: float = 0.5, length_s: float = 20.0) -> Proposal:
    clip = Span(start_s, start_s + length_s)
    event = Span(start_s + 5, start_s + 10)
    highlight = Highlight("audio", score, start_s + 7, event, clip)
    return Proposal(index, highlight, Quality(0.5, 0.5, 0.5, 0.0, 1.0, quality))


# -- scenes


def test_scenes_lie_between_cuts_and_cover_the_stream() -> None:
    assert find_scenes(cuts_at(120, 29, 79), V1Config()) == [(0, 30), (30, 80), (80, 120)]
    assert find_scenes(cuts_at(0), V1Config()) == []


def test_long_scenes_are_split_and_short_ones_joined() -> None:
    scenes = find_scenes(cuts_at(1000, 99, 103, 106), V1Config())
    assert scenes[0][0] == 0 and scenes[-1][1] == 1000
    assert all(stop == first for (_, stop), (first, _) in itertools.pairwise(scenes))
    for first, stop in scenes:
        assert 5.0 <= (stop - first) * TICK_S <= 60.0


def test_too_many_scenes_become_fewer_longer_ones() -> None:
    timeline = cuts_at(72_000, *range(11, 71_990, 12))
    scenes = find_scenes(timeline, V1Config())
    assert 100 < len(scenes) <= 300
    assert scenes[0][0] == 0 and scenes[-1][1] == 72_000


def test_without_a_picture_scenes_are_equal_parts() -> None:
    assert find_scenes(Timeline.unknown(NAMES, 0, 240), V1Config()) == [(0, 120), (120, 240)]


# -- variation of the timbre


def test_a_steady_sound_varies_less_than_a_lively_one_whatever_the_level() -> None:
    rng = np.random.default_rng(0)
    values = np.full((200, len(NAMES)), np.nan, np.float32)
    columns = [NAMES.index(name) for name in COEFFICIENTS]
    values[:, columns] = 5 + rng.standard_normal((200, len(columns)))
    values[100:, columns] = -40 + 6 * rng.standard_normal((100, len(columns)))
    variation = timbre_variation(Timeline(NAMES, values))
    assert np.isfinite(variation).all()
    assert variation[110:190].min() > 2 * variation[10:90].max()
    expected = np.std(values[46:54][:, columns].astype(np.float64), axis=0).mean()
    assert variation[50] == pytest.approx(expected, rel=1e-5)


def test_an_unknown_timbre_varies_by_an_unknown_amount() -> None:
    values = np.zeros((100, len(NAMES)), np.float32)
    values[40:60, NAMES.index("mfcc_7")] = np.nan
    variation = timbre_variation(Timeline(NAMES, values))
    assert np.isnan(variation[45:55]).all() and np.isfinite(variation[[10, 80]]).all()


# -- quality


def test_quality_is_the_weighted_sum_of_its_parts_and_dead_time_counts_against_it() -> None:
    excitement = np.zeros(600)
    excitement[208:230] = 2.0
    highlight = Highlight("audio", 0.8, 108.0, Span(104, 115), Span(100, 120))
    window = ClipWindow(Span(100, 120), 0.6, 0.4)
    quality = measure_quality(highlight, window, excitement=excitement, bounds=STREAM, config=V2)
    assert quality.boundary == pytest.approx(0.5)
    assert quality.narrative == 1.0
    assert quality.dead_time == pytest.approx(18 / 40)
    expected = 0.4 * quality.excitement + 0.2 * 0.5 + 0.2 * 1.0 - 0.2 * quality.dead_time
    assert quality.total == pytest.approx(expected * (1 + 0.25 * 0.8))
    longer = ClipWindow(Span(100, 140), 0.6, 0.4)
    assert measure_quality(highlight, longer, excitement=excitement, bounds=STREAM, config=V2).total < quality.total


def test_a_clip_that_begins_or_ends_in_the_middle_tells_less_of_a_story() -> None:
    excitement = np.zeros(600)
    excitement[208:230] = 2.0
    highlight = Highlight("audio", 0.8, 108.0, Span(104, 115), Span(105, 120))
    for span in (Span(105, 120), Span(100, 113), Span(107.5, 120)):
        window = ClipWindow(span, 0.0, 0.0)
        assert measure_quality(highlight, window, excitement=excitement, bounds=STREAM, config=V2).narrative < 1


# -- near duplicates


def looped(seed: int = 0) -> Timeline:
    """Ten minutes whose picture and sound wander; what happens at 100 s is shown again at 400.5 s."""
    rng = np.random.default_rng(seed)
    values = np.full((1200, len(NAMES)), np.nan, np.float32)
    for name in DESCRIPTORS:
        values[:, NAMES.index(name)] = np.convolve(rng.standard_normal(1203), np.ones(4) / 2, "valid")
    values[781:821] = values[180:220]
    return Timeline(NAMES, values)


def test_a_replay_is_near_and_another_moment_is_far() -> None:
    appearance = Appearance(looped())
    replay, half_a_second_beside_it, other = appearance.distances(100.0, [400.5, 401.0, 250.0])
    assert max(replay, half_a_second_beside_it) < 0.01
    assert other > 1.3 * V2.near_duplicate_distance


@pytest.mark.parametrize("seed", range(5))
def test_a_replay_between_two_ticks_is_near_and_the_same_noise_is_not(seed: int) -> None:
    # Of each half tick; a tick is the mean of two.
    halves = np.random.default_rng(seed).standard_normal((2400, len(DESCRIPTORS)))
    halves[1501:1561] = halves[180:240]
    values = np.full((1200, len(NAMES)), np.nan, np.float32)
    values[:, [NAMES.index(name) for name in DESCRIPTORS]] = (halves[::2] + halves[1::2]) / 2
    replay, other = Appearance(Timeline(NAMES, values)).distances(52.5, [382.75, 250.0])
    assert replay < V2.near_duplicate_distance < 0.8 < other


def test_a_still_background_makes_no_duplicates_of_different_sounds() -> None:
    timeline = looped()
    values = timeline.values.copy()
    for name in ("brightness", "color_variance", "saturation", "edge_density"):
        values[:, NAMES.index(name)] = 7.0
    appearance = Appearance(replace(timeline, values=values))
    assert appearance.distances(100.0, [250.0])[0] > 1.3 * V2.near_duplicate_distance


def test_the_same_sound_over_other_pictures_is_another_moment() -> None:
    timeline = looped()
    values = timeline.values.copy()
    values[781:821, [NAMES.index(name) for name in PICTURE]] = values[381:421, [NAMES.index(name) for name in PICTURE]]
    assert Appearance(replace(timeline, values=values)).distances(100.0, [400.5])[0] > V2.near_duplicate_distance


def test_what_is_not_known_is_no_duplicate() -> None:
    assert np.isnan(Appearance(Timeline.unknown(NAMES, 0, 600)).distances(100.0, [200.0])).all()
    assert np.isnan(Appearance(looped()).distances(1.0, [599.0])).all()
    kept, _ = filters.not_shown_twice([proposal(0, 0, 0.9), proposal(1, 200, 0.8)], Appearance(looped()), V2)
    assert [one.index for one in kept] == [0, 1]


def test_of_a_moment_that_is_shown_twice_the_better_stays() -> None:
    shown = [proposal(4, 393.5, 0.9), proposal(7, 93.0, 0.8), proposal(9, 200.0, 0.7)]
    kept, decisions = filters.not_shown_twice(shown, Appearance(looped()), V2)
    assert [one.index for one in kept] == [4, 9]
    assert [(d.clip_index, d.action) for d in decisions] == [(4, "keep"), (7, "drop_near_duplicate"), (9, "keep")]
    assert "clip 4" in decisions[1].reason


# -- filters


def test_of_overlapping_clips_the_better_stays() -> None:
    ranked = [proposal(0, 100, 0.9), proposal(1, 108, 0.8), proposal(2, 112, 0.7), proposal(3, 300, 0.6)]
    kept, decisions = filters.not_overlapping(ranked, V2)
    # 8 s beside each other they share 12 of 28 s, 12 s beside each other 8 of 32.
    assert [one.index for one in kept] == [0, 2, 3]
    assert decisions[1].action == "drop_overlap" and "0.43" in decisions[1].reason


def test_a_boring_clip_is_dropped_unless_its_moment_is_strong() -> None:
    ranked = [proposal(0, 0, 0.9, quality=0.1), proposal(1, 50, 0.1, quality=0.5), proposal(2, 100, 0.1, quality=0.1)]
    kept, decisions = filters.not_boring(ranked, V2)
    assert [one.index for one in kept] == [0, 1]
    assert decisions[2].action == "drop_boring"


def test_gaps_caps_and_scores_are_kept_and_named() -> None:
    ranked = [proposal(n, 30 * n, 0.9 - n / 10) for n in range(5)]
    kept, decisions = filters.spaced(ranked, 45.0)
    assert [one.index for one in kept] == [0, 2, 4] and "--min-gap is 45" in decisions[1].reason
    kept, decisions = filters.capped(ranked, 2)
    assert [one.index for one in kept] == [0, 1] and decisions[2].action == "drop_cap"
    kept, decisions = filters.above_score(ranked, 0.75, "MIN_AUDIO_SCORE")
    assert [one.index for one in kept] == [0, 1] and "MIN_AUDIO_SCORE=0.75" in decisions[4].reason


# -- a whole run


@pytest.mark.parametrize("mode", ["v2", "v1"])
def test_every_proposal_has_its_decisions_and_the_kept_ones_are_the_highlights(mode: str) -> None:
    timeline = noise(2400)
    for second in range(30, 1170, 60):
        timeline = excite(timeline, Span(second, second + 9), 1.0 + second / 500)
    values = timeline.values.copy()
    values[:, NAMES.index("scene_strength")] = 0.0
    values[::61, NAMES.index("scene_strength")] = 0.5
    run = segment(replace(timeline, values=values), replace(CONFIG, mode=mode, max_audio=5))
    assert len(run.detection.audio) == 5
    assert [clip.highlight for clip in run.clips] == list(run.detection.merged)
    assert sorted(one.index for one in run.proposals) == list(range(len(run.anchors)))
    for one in run.proposals:
        (first, *rest) = [decision for decision in run.decisions if decision.clip_index == one.index]
        assert first.stage == "score"
        assert all(decision.kept for decision in [first, *rest][:-1]), "what was dropped is not judged again"
    dropped = {decision.clip_index for decision in run.decisions if not decision.kept}
    assert dropped.isdisjoint(clip.index for clip in run.clips)
    assert [anchor.score for anchor in run.anchors] == sorted((a.score for a in run.anchors), reverse=True)


def test_scenes_are_the_clips_of_the_scene_based_mode() -> None:
    timeline = excite(noise(1200), EVENT)
    values = timeline.values.copy()
    values[:, NAMES.index("scene_strength")] = 0.0
    values[[389, 429], NAMES.index("scene_strength")] = 0.9
    best = segment(replace(timeline, values=values), replace(CONFIG, mode="v1")).detection.merged[0]
    assert best.event == best.clip == Span(195.0, 215.0)
    assert sum(reason.contribution for reason in best.reasons) == pytest.approx(best.score, abs=1e-6)


def test_a_gap_longer_than_the_stream_leaves_one_highlight_a_kind() -> None:
    timeline = excite(excite(noise(1200), EVENT), Span(400, 410))
    found = segment(timeline, replace(CONFIG, min_gap_s=3600.0)).detection
    assert len(found.audio) == len(found.video) == 1


def test_a_replayed_event_is_shown_once() -> None:
    timeline = excite(noise(1200), EVENT)
    values = timeline.values.copy()
    values[960:1060] = values[360:460]
    found = segment(replace(timeline, values=values), CONFIG)
    assert any(decision.action == "drop_near_duplicate" for decision in found.decisions)
    again = [h for h in found.detection.merged if h.event.overlap_s(EVENT) or h.event.overlap_s(Span(500, 510))]
    assert len(again) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"step_sec": 1.0},
        {"pre_fallback": 15.0},
        {"post_max": math.nan},
        {"overlap_iou_threshold": 0.0},
        {"target_clip_count_soft": 0},
        {"quality_w_boundary": -1.0},
    ],
)
def test_parameters_of_stages_out_of_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InputError):
        replace(V2, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"merge_below_s": 40.0}, {"most_clips": 0}, {"scene_threshold": math.inf}])
def test_scenes_out_of_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InputError):
        replace(V1Config(), **changes)  # type: ignore[arg-type]
