"""Laws of evidence, weights and reasons, and of what they add up to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_highlights_detect import CONFIG, EVENT, best_at, excite, noise, without

from kick_clip_generator.core.records import Highlight, Reason, Span
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.features.audio import SAMPLE_RATE_HZ, AudioFeatures
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES, VIDEO_NAMES
from kick_clip_generator.highlights.baseline import Z_LIMIT, robust_z
from kick_clip_generator.highlights.detect import detect
from kick_clip_generator.highlights.merge import merge
from kick_clip_generator.highlights.reasons import MOST_LINES, shorten
from kick_clip_generator.highlights.scoring import measure_evidence
from kick_clip_generator.highlights.signals import AUDIO_WEIGHTS, SIGNALS, SUFFIX, VARIATION, VIDEO_WEIGHTS


def test_every_feature_is_a_signal_of_its_medium() -> None:
    assert {name for name, signal in SIGNALS.items() if signal.medium == "audio"} == {*AUDIO_NAMES, VARIATION}
    assert {name for name, signal in SIGNALS.items() if signal.medium == "video"} == set(VIDEO_NAMES)


def test_reasons_add_up_to_the_score() -> None:
    timeline = excite(excite(noise(2400), EVENT), Span(500, 512), 1.5, AUDIO_NAMES)
    detection = detect(timeline, replace(CONFIG, min_audio_score=0.0, min_video_score=0.0))
    highlights = [*detection.audio, *detection.video, *detection.merged]
    assert {highlight.kind for highlight in highlights} == {"audio", "video", "both"}
    for highlight in highlights:
        contributions = [reason.contribution for reason in highlight.reasons]
        assert sum(contributions) == pytest.approx(highlight.score, abs=1e-6)
        assert [abs(c) for c in contributions] == sorted((abs(c) for c in contributions), reverse=True)
        assert 0 < len(contributions) <= MOST_LINES


def test_reasons_are_words_with_their_sign() -> None:
    detection = detect(excite(noise(1200), EVENT, 3.0), CONFIG)
    assert detection.audio[0].reasons[0].text.startswith("crowd-like noise +")
    assert detection.video[0].reasons[0].text.startswith("motion +")
    # Fewer sharp sounds than usual speak for a crowd.
    onsets = next(reason for reason in detection.audio[0].reasons if reason.signal == "onset_strength")
    assert onsets.text.startswith("sharp onsets −") and onsets.text.endswith(" σ")
    assert onsets.contribution > 0


def test_many_reasons_become_a_handful_with_the_same_sum() -> None:
    reasons = [Reason(f"s{n}", (-1) ** n * 0.1 * n, f"signal {n}") for n in range(1, 10)]
    short = shorten(reasons)
    assert len(short) == MOST_LINES
    assert sum(r.contribution for r in short) == pytest.approx(sum(r.contribution for r in reasons))
    assert short[0].signal == "s9"


@pytest.mark.parametrize("key", ["rms_mean", "zcr_mean", "motion_mean", "edge_density_mean", "onset_strength_mean"])
def test_a_weight_has_a_linear_effect_on_the_evidence(key: str) -> None:
    medium = SIGNALS[key.removesuffix(SUFFIX)].medium
    defaults = AUDIO_WEIGHTS if medium == "audio" else VIDEO_WEIGHTS
    timeline = excite(noise(600), EVENT)
    totals = []
    for weight in (1.0, 2.0, 3.0):
        parts = measure_evidence(timeline, {**defaults, key: weight}, medium).parts
        totals.append(parts.sum(axis=1))
    np.testing.assert_allclose(totals[2] - totals[1], totals[1] - totals[0], atol=1e-9)
    assert np.abs(totals[1] - totals[0]).max() > 0.1


@pytest.mark.parametrize("key", ["rms_mean", "zcr_mean", "motion_mean", "edge_density_mean"])
def test_a_higher_weight_on_a_raised_signal_scores_higher(key: str) -> None:
    name = key.removesuffix(SUFFIX)
    medium = SIGNALS[name].medium
    timeline = excite(noise(1200), EVENT, 3.0)
    config = replace(CONFIG, min_audio_score=0.0, min_video_score=0.0)
    defaults = AUDIO_WEIGHTS if medium == "audio" else VIDEO_WEIGHTS
    scores = []
    for weight in (0.0, 0.5, 1.0, 2.0, 4.0):
        found = best_at(
            getattr(detect(timeline, replace(config, **{f"{medium}_weights": {**defaults, key: weight}})), medium),
            EVENT,
        )
        assert found is not None
        scores.append(found.score)
    assert scores == sorted(scores)
    odds = [score / (1 - score) for score in scores]
    assert odds[-1] > 1.1 * odds[0]


def test_the_weight_of_missing_signals_is_shared() -> None:
    timeline = excite(noise(600), EVENT, 2.0)
    evidence = measure_evidence(without(timeline, ["mfcc_3", "mfcc_4"]), AUDIO_WEIGHTS, "audio")
    assert "mfcc_3" not in evidence.names
    assert np.abs(evidence.weights).sum() == pytest.approx(sum(map(abs, AUDIO_WEIGHTS.values())))


def test_a_signal_missing_for_a_while_leaves_its_share_to_the_others() -> None:
    values = noise(600).values.copy()
    values[400:420, NAMES.index("motion")] = np.nan
    values[400:420, NAMES.index("motion_variance")] += 200
    weights = {"motion_mean": 1.0, "motion_variance_mean": 1.0}
    parts = measure_evidence(Timeline(NAMES, values), weights, "video").parts
    z = robust_z(values[:, NAMES.index("motion_variance")], SIGNALS["motion_variance"].floor)
    np.testing.assert_allclose(parts[400:420].sum(axis=1), 2 * z[400:420])


def test_a_sound_counts_only_as_far_as_it_is_heard() -> None:
    timeline = excite(noise(1200), EVENT, 3.0, [name for name in AUDIO_NAMES if name not in ("rms", "rms_db")])
    values = timeline.values.copy()
    values[400:420, NAMES.index("rms_db")] -= 20
    heard = excite(noise(1200), EVENT, 3.0, AUDIO_NAMES)
    dropped = best_at(detect(replace(timeline, values=values), replace(CONFIG, min_audio_score=0.0)).audio, EVENT)
    assert dropped is None
    assert best_at(detect(heard, CONFIG).audio, EVENT) is not None


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scale=st.floats(0.1, 1000),
    offset=st.floats(-1e4, 1e4),
    ticks=st.integers(1, 900),
)
def test_z_does_not_know_units(seed: int, scale: float, offset: float, ticks: int) -> None:
    signal = np.random.default_rng(seed).standard_normal(ticks)
    z = robust_z(signal, floor=0.01)
    np.testing.assert_allclose(robust_z(scale * signal + offset, floor=0.01 * scale), z, atol=1e-5)
    assert np.abs(z).max() <= Z_LIMIT


def test_z_is_unknown_exactly_where_the_signal_is() -> None:
    signal = np.random.default_rng(0).standard_normal(2000)
    signal[300:900:7] = np.nan
    signal[1000:1500] = np.nan
    signal[1600] = np.inf
    np.testing.assert_array_equal(np.isnan(robust_z(signal, 0.1)), ~np.isfinite(signal))


def test_z_grows_with_the_value() -> None:
    signal = np.random.default_rng(0).standard_normal(1200)
    heights = []
    for raised in (1, 2, 4, 8, 100):
        signal[600] = raised
        heights.append(robust_z(signal, 0.1)[600])
    assert heights == sorted(heights)
    assert heights[1] > heights[0]


def _highlight(kind: str, score: float, start_s: float, end_s: float) -> Highlight:
    span = Span(start_s, end_s)
    reasons = (Reason("motion" if kind == "video" else "rms_db", score, "made"),)
    return Highlight(kind, score, (start_s + end_s) / 2, span, span, reasons, heuristic_score=score)  # type: ignore[arg-type]


@given(one=st.floats(0, 1), other=st.floats(0, 1))
def test_agreement_scores_at_least_as_high_as_either(one: float, other: float) -> None:
    (both,) = merge([_highlight("audio", one, 10, 20)], [_highlight("video", other, 12, 22)])
    assert both.kind == "both"
    assert both.score >= max(one, other) - 1e-8
    assert sum(reason.contribution for reason in both.reasons) == pytest.approx(both.score, abs=1e-6)


def test_moments_that_do_not_overlap_stay_apart() -> None:
    merged = merge(
        [_highlight("audio", 0.5, 10, 20), _highlight("audio", 0.4, 50, 60)], [_highlight("video", 0.6, 20, 30)]
    )
    assert [(h.kind, h.score) for h in merged] == [("video", 0.6), ("audio", 0.5), ("audio", 0.4)]


def test_each_highlight_is_merged_once() -> None:
    merged = merge(
        [_highlight("audio", 0.5, 10, 20)], [_highlight("video", 0.3, 8, 14), _highlight("video", 0.6, 15, 25)]
    )
    assert sorted(h.kind for h in merged) == ["both", "video"]
    assert merged[0].kind == "both" and merged[0].event == Span(15, 25)


def _crowd(gain_db: float) -> Timeline:
    """A minute of soft hiss with ten seconds of noise around 1.5 kHz, through the real features."""
    random = np.random.default_rng(0)
    seconds = 60
    sound = random.standard_normal(seconds * SAMPLE_RATE_HZ) * 0.003
    spectrum = np.fft.rfft(random.standard_normal(10 * SAMPLE_RATE_HZ))
    frequencies_hz = np.fft.rfftfreq(10 * SAMPLE_RATE_HZ, 1 / SAMPLE_RATE_HZ)
    spectrum *= np.exp(-0.5 * (np.log2(np.maximum(frequencies_hz, 1) / 1500) / 0.7) ** 2)
    burst = np.fft.irfft(spectrum)
    sound[30 * SAMPLE_RATE_HZ : 40 * SAMPLE_RATE_HZ] += burst / burst.std() * 0.003 * 10 ** (gain_db / 20)
    pcm = np.clip(sound * 32768, -32768, 32767).astype(np.int16)
    return Timeline(AUDIO_NAMES, AudioFeatures().push(pcm))


def test_a_louder_cheer_never_scores_lower() -> None:
    cheer = Span(30, 40)
    scores = []
    for gain_db in (-20, 0, 8, 16, 24):
        found = best_at(detect(_crowd(gain_db), CONFIG).audio, cheer)
        scores.append(found.score if found else 0.0)
    assert scores == sorted(scores)
    assert scores[0] < 0.3 and scores[-1] > 0.7
