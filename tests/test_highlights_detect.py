"""Laws of detection, on made timelines: nothing in nothing out, louder never lower, shifted in shifted out, …"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.records import Detection, Highlight, Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES, VIDEO_NAMES
from kick_clip_generator.highlights.detect import DetectionConfig, detect, segment
from kick_clip_generator.highlights.merge import merge
from kick_clip_generator.highlights.signals import AUDIO_WEIGHTS, SIGNALS, SUFFIX, VARIATION, VIDEO_WEIGHTS

CONFIG = DetectionConfig()
WEIGHTS = {**AUDIO_WEIGHTS, **VIDEO_WEIGHTS}


def noise(ticks: int, seed: int = 0) -> Timeline:
    """A stream where nothing happens: each signal jitters around its level by about twice its floor."""
    columns = []
    for name in NAMES:
        # Seeded by name: other signals that come or go change nothing for this one.
        random = np.random.default_rng([seed, *name.encode()])
        columns.append(2 * SIGNALS[name].floor * (10 + random.standard_normal(ticks)))
    return Timeline(NAMES, np.column_stack(columns).astype(np.float32))


def excite(timeline: Timeline, span: Span, strength: float = 3.0, names: Sequence[str] = NAMES) -> Timeline:
    """The same stream with an event: the signals with a weight go by `strength` σ to the side that counts."""
    values = timeline.values.copy()
    low, high = round(span.start_s / TICK_S), round(span.end_s / TICK_S)
    for key, weight in WEIGHTS.items():
        name = key.removesuffix(SUFFIX)
        if name in names:
            step = 2 * SIGNALS[name].floor * strength * np.sign(weight)
            values[low:high, NAMES.index(name)] += np.float32(step)
    return replace(timeline, values=values)


def without(timeline: Timeline, names: Sequence[str]) -> Timeline:
    values = timeline.values.copy()
    values[:, [NAMES.index(name) for name in names]] = np.nan
    return replace(timeline, values=values)


def best_at(highlights: Sequence[Highlight], span: Span) -> Highlight | None:
    found = [highlight for highlight in highlights if highlight.event.temporal_iou(span) >= 0.5]
    return max(found, key=lambda highlight: highlight.score, default=None)


def spelled(highlights: Sequence[Highlight]) -> list[dict[str, object]]:
    """Comparable: a score that is not there is NaN, which equals nothing."""
    return [highlight.to_dict() for highlight in highlights]


EVENT = Span(200.0, 210.0)


def test_an_event_is_found_with_its_span_and_as_one_moment_of_both_media() -> None:
    detection = detect(excite(noise(1200), EVENT), CONFIG)
    for highlights, kind in ((detection.audio, "audio"), (detection.video, "video"), (detection.merged, "both")):
        assert highlights[0].kind == kind
        assert highlights[0].event.temporal_iou(EVENT) > 0.7
        assert highlights[0].event.start_s <= highlights[0].peak_s <= highlights[0].event.end_s
    assert detection.merged[0].score > max(detection.audio[0].score, detection.video[0].score) > 0.6


def test_a_silent_black_stream_has_no_highlight_and_says_why() -> None:
    values = np.zeros((1200, len(NAMES)), np.float32)
    values[:, NAMES.index("rms_db")] = -100
    for name in ("spectral_centroid", "spectral_bandwidth", "spectral_rolloff", "spectral_flatness", "high_freq_ratio"):
        values[:, NAMES.index(name)] = np.nan
    detection = detect(Timeline(NAMES, values), replace(CONFIG, min_audio_score=0.0, min_video_score=0.0))
    assert (detection.audio, detection.video, detection.merged) == ((), (), ())
    assert [note for note in detection.notes if "no moment stands out" in note] == list(detection.notes)
    assert len(detection.notes) == 2


@pytest.mark.parametrize("seed", range(3))
def test_jitter_is_no_highlight(seed: int) -> None:
    for highlight in detect(noise(7200, seed), replace(CONFIG, min_audio_score=0.0, min_video_score=0.0)).merged:
        assert highlight.score < 0.3


def test_an_unmeasured_or_empty_stream_has_no_highlight() -> None:
    for ticks in (0, 1, 600):
        detection = detect(Timeline.unknown(NAMES, 0, ticks), CONFIG)
        assert detection == Detection(notes=detection.notes)
        assert len(detection.notes) == 1


@pytest.mark.parametrize("medium", ["audio", "video"])
def test_louder_never_scores_lower(medium: str) -> None:
    names = AUDIO_NAMES if medium == "audio" else VIDEO_NAMES
    calm = noise(1200)
    scores = []
    for strength in (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0):
        detection = detect(excite(calm, EVENT, strength, names), CONFIG)
        found = best_at(detection.audio if medium == "audio" else detection.video, EVENT)
        scores.append(found.score if found else 0.0)
    assert scores == sorted(scores)
    assert scores[-1] > 0.7


def test_more_loudness_alone_never_scores_lower() -> None:
    event = excite(noise(1200), EVENT, 2.0)
    scores = []
    for gain_db in (0, 2, 4, 8, 16, 32):
        values = event.values.copy()
        values[400:420, NAMES.index("rms_db")] += gain_db
        found = best_at(detect(replace(event, values=values), CONFIG).audio, EVENT)
        assert found is not None
        scores.append(found.score)
    assert scores == sorted(scores)
    assert scores[-1] > scores[0]


def test_a_stream_that_is_louder_throughout_has_the_same_highlights() -> None:
    quiet = excite(noise(1200), EVENT)
    values = quiet.values.copy()
    values[:, NAMES.index("rms_db")] += 24
    # An octave of drift over the stream: slow against the baseline.
    values[:, NAMES.index("rms_db")] += np.linspace(0, 6, 1200, dtype=np.float32)
    loud = detect(replace(quiet, values=values), CONFIG).audio[0]
    assert loud.event == detect(quiet, CONFIG).audio[0].event
    assert loud.score == pytest.approx(detect(quiet, CONFIG).audio[0].score, abs=0.05)


def test_shifting_the_stream_shifts_the_highlights() -> None:
    timeline = excite(noise(900), EVENT)
    shifted = replace(timeline, first_tick=7_201)
    by_s = 7_201 * TICK_S
    for before, after in zip(detect(timeline, CONFIG).merged, detect(shifted, CONFIG).merged, strict=True):
        assert after.score == before.score
        assert after.peak_s == before.peak_s + by_s
        for one, other in ((before.event, after.event), (before.clip, after.clip)):
            assert (other.start_s, other.end_s) == (one.start_s + by_s, one.end_s + by_s)


@pytest.mark.parametrize("seconds", [1, 4, 9, 20, 45])
def test_a_short_stream_works_and_its_spans_stay_inside(seconds: int) -> None:
    event = Span(seconds * 0.4, seconds * 0.7)
    timeline = excite(noise(2 * seconds), Span(round(event.start_s), round(event.end_s) + 0.5), 5.0)
    detection = detect(timeline, CONFIG)
    for highlight in detection.merged:
        assert 0 <= highlight.clip.start_s < highlight.clip.end_s <= seconds
        assert 0 <= highlight.event.start_s < highlight.event.end_s <= seconds
    if seconds >= 20:
        assert detection.merged[0].event.overlap_s(event) > 0


def test_a_missing_medium_leaves_the_other_and_says_so() -> None:
    timeline = excite(noise(1200), EVENT)
    whole = detect(timeline, CONFIG)
    deaf = detect(without(timeline, AUDIO_NAMES), CONFIG)
    assert deaf.audio == ()
    # Without sound there are no pauses for clips to end at; the events stay.
    assert [(h.event, h.score) for h in deaf.video] == [(h.event, h.score) for h in whole.video]
    assert spelled(deaf.video) == spelled(deaf.merged)
    assert "No audio: video highlights only." in deaf.notes
    blind = detect(without(timeline, VIDEO_NAMES), CONFIG)
    # Without a picture there are no cuts for clips to start at; the events stay.
    assert [(h.event, h.score) for h in blind.audio] == [(h.event, h.score) for h in whole.audio]
    assert spelled(blind.audio) == spelled(blind.merged)
    assert "No video: audio highlights only." in blind.notes


@pytest.mark.parametrize("key", sorted(key for key in WEIGHTS if key != VARIATION + SUFFIX))
def test_a_missing_signal_is_left_out_and_not_counted_as_calm(key: str) -> None:
    name = key.removesuffix(SUFFIX)
    timeline = excite(noise(1200), EVENT, 1.5)
    config = replace(CONFIG, min_audio_score=0.0, min_video_score=0.0)
    lacking = detect(without(timeline, [name]), config)
    flat = timeline.values.copy()
    flat[:, NAMES.index(name)] = 0
    calm = detect(replace(timeline, values=flat), config)
    medium = SIGNALS[name].medium
    shared, counted = (best_at(getattr(result, medium), EVENT) for result in (lacking, calm))
    assert shared is not None and counted is not None
    assert shared.score > counted.score
    # A line stands for several signals; it is named after the one that gave most.
    assert all(reason.signal != name for reason in shared.reasons)


def test_gaps_give_no_highlight_and_no_nan() -> None:
    timeline = excite(noise(1200), EVENT)
    values = timeline.values.copy()
    values[100:300] = np.nan
    values[700:760] = np.nan
    for highlight in detect(replace(timeline, values=values), CONFIG).merged:
        assert np.isfinite([highlight.score, highlight.peak_s, *(r.contribution for r in highlight.reasons)]).all()
        assert not 50 <= highlight.peak_s < 150
    assert best_at(detect(replace(timeline, values=values), CONFIG).merged, EVENT) is not None


def test_counts_and_gaps_are_kept() -> None:
    timeline = noise(4800)
    for second in range(20, 2380, 24):
        timeline = excite(timeline, Span(second, second + 8), 2.0 + second / 1000)
    for config in (
        replace(CONFIG, max_audio=25, max_video=3),
        replace(CONFIG, min_gap_s=60.0, max_audio=25, max_video=0),
    ):
        detection = detect(timeline, config)
        assert 0 < len(detection.audio) <= config.max_audio
        assert len(detection.video) == config.max_video
        assert len(detection.merged) <= 50
        for highlights in (detection.audio, detection.video):
            for one, other in itertools.combinations(highlights, 2):
                assert abs(one.peak_s - other.peak_s) >= config.min_gap_s
                assert one.event.overlap_s(other.event) == 0
            assert [h.score for h in highlights] == sorted((h.score for h in highlights), reverse=True)
        assert [h.score for h in detection.merged] == sorted((h.score for h in detection.merged), reverse=True)


def test_scores_below_the_threshold_are_not_shown_and_the_note_names_the_setting() -> None:
    timeline = excite(noise(1200), EVENT, 1.0)
    best = detect(timeline, replace(CONFIG, min_audio_score=0.0)).audio[0].score
    detection = detect(timeline, replace(CONFIG, min_audio_score=best + 0.01))
    assert detection.audio == ()
    note = next(note for note in detection.notes if "audio" in note)
    assert f"{best:.3f}" in note and "MIN_AUDIO_SCORE" in note
    assert detect(timeline, replace(CONFIG, min_audio_score=best - 0.01)).audio[0].score == best


def test_the_same_stream_gives_the_same_answer_in_any_company() -> None:
    # Scores compare between streams: what else happens in a stream does not change what an event is worth.
    timeline = excite(noise(3600), EVENT)
    alone = best_at(detect(timeline, CONFIG).audio, EVENT)
    busy = timeline
    for second in (900, 1200, 1500):
        busy = excite(busy, Span(second, second + 10), 7.0)
    among = best_at(detect(busy, CONFIG).audio, EVENT)
    assert alone is not None and among is not None
    assert among.score == pytest.approx(alone.score, abs=0.02)


class _Judge:
    """A learned judge that likes one moment, known by its loudness."""

    def __init__(self, liked: float = 1.0, others: float = 0.0) -> None:
        self.liked, self.others = liked, others

    def predict(self, kind: str, rows: Sequence[Mapping[str, float]]) -> NDArray[np.float64] | None:
        if kind != "audio":
            return None
        return np.array([self.liked if row["rms_db_mean"] > 28 else self.others for row in rows])


def test_a_learned_score_is_blended_by_the_weights_and_is_a_reason() -> None:
    weak = excite(excite(noise(1200), EVENT, 3.0), Span(400, 410), 2.0)
    values = weak.values.copy()
    values[800:820, NAMES.index("rms_db")] = 30.0
    timeline = replace(weak, values=values)
    plain = detect(timeline, CONFIG)
    blended = detect(timeline, CONFIG, _Judge())
    liked = best_at(blended.audio, Span(400, 410))
    before = best_at(plain.audio, Span(400, 410))
    assert liked is not None and before is not None
    assert liked.heuristic_score == before.score
    assert liked.ml_score == 1.0
    assert liked.score == pytest.approx(0.6 * before.score + 0.4)
    added = {reason.signal: reason.contribution for reason in liked.reasons}["ratings"]
    assert added == pytest.approx(0.4 * (1 - before.score)), "what the ratings changed"
    assert sum(reason.contribution for reason in liked.reasons) == pytest.approx(liked.score)
    assert blended.audio[0] is liked
    assert spelled(blended.video) == spelled(plain.video)
    assert all(np.isnan(highlight.ml_score) for highlight in blended.video)
    only_learned = detect(timeline, replace(CONFIG, heuristic_weight=0.0), _Judge(liked=0.75))
    assert only_learned.audio[0].score == pytest.approx(0.75)


class _Certain(_Judge):
    """One that says what its evidence is worth, and saw what the heuristic made of the moments."""

    def __init__(self, share: float) -> None:
        super().__init__(liked=1.0)
        self._share = share
        self.heuristic: list[float] = []

    def share(self, kind: str) -> float:
        return self._share

    def predict(self, kind: str, rows: Sequence[Mapping[str, float]]) -> NDArray[np.float64] | None:
        self.heuristic += [row["heuristic_score"] for row in rows]
        return super().predict(kind, rows)


def test_a_judge_may_say_what_its_evidence_is_worth_unless_the_weights_are_fixed() -> None:
    timeline = excite(noise(1200), EVENT, 3.0)
    plain = detect(timeline, CONFIG).audio[0]
    judge = _Certain(0.75)
    found = best_at(detect(timeline, replace(CONFIG, min_audio_score=0.0), judge).audio, EVENT)
    assert found is not None and found.score == pytest.approx(0.25 * plain.score)
    assert max(judge.heuristic) == pytest.approx(plain.score)
    fixed = best_at(detect(timeline, replace(CONFIG, min_audio_score=0.0, ml_weight=0.4), judge).audio, EVENT)
    assert fixed is not None and fixed.score == pytest.approx(0.6 * plain.score)


def test_what_nobody_likes_does_not_climb_because_two_media_found_it() -> None:
    def part(kind: str, score: float, heuristic: float) -> Highlight:
        return Highlight(kind, score, 305.0, EVENT, EVENT, heuristic_score=heuristic)  # type: ignore[arg-type]

    disliked = merge([part("audio", 0.2, 0.8)], [part("video", 0.1, 0.7)])[0]
    assert disliked.score < 0.4 < disliked.heuristic_score
    assert merge([part("audio", 0.8, 0.8)], [part("video", 0.7, 0.7)])[0].score == disliked.heuristic_score


def test_a_judge_that_knows_nothing_changes_nothing() -> None:
    timeline = excite(noise(1200), EVENT)
    unknown = detect(timeline, CONFIG, _Judge(np.nan, np.nan))
    assert [h.score for h in unknown.merged] == [h.score for h in detect(timeline, CONFIG).merged]


@pytest.mark.parametrize(
    "changes",
    [
        {"max_audio": 26},
        {"max_video": -1},
        {"min_gap_s": float("nan")},
        {"min_clip_s": 20.0, "max_clip_s": 10.0},
        {"clip_duration_s": 0.0},
        {"heuristic_weight": 0.0, "ml_weight": 0.0},
        {"audio_weights": {"loudness": 1.0}},
        {"audio_weights": {"motion_mean": 1.0}},
        {"video_weights": {"motion_mean": float("nan")}},
    ],
)
def test_values_out_of_range_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(CONFIG, **changes)  # type: ignore[arg-type]


def test_a_misspelled_weight_is_told_its_name() -> None:
    with pytest.raises(InputError, match="rms_mean"):
        replace(CONFIG, audio_weights={"rms_men": 1.0})


def test_the_best_moment_is_given_when_none_reaches_the_minimum() -> None:
    timeline = excite(noise(400), Span(60, 70))
    strict = DetectionConfig(min_audio_score=1.0, min_video_score=1.0)
    found = detect(timeline, replace(strict, keep_best=True))
    assert len(found.merged) == 1 and 60 <= found.merged[0].peak_s <= 70
    assert any("KEEP_BEST" in note for note in found.notes) and any("MIN_AUDIO_SCORE=1" in note for note in found.notes)
    assert detect(timeline, strict).merged == ()
    taken_back = segment(timeline, replace(strict, keep_best=True))
    (clip,) = taken_back.clips
    assert [one.stage for one in taken_back.decisions if one.clip_index == clip.index] == [
        "score",
        "keep_best",
        "overlap",
    ]
    assert clip.index not in taken_back.dropped and taken_back.dropped
