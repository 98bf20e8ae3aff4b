"""Laws of detection over several media: speech and chat beside sound and picture, and what they make together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_highlights_detect import CONFIG, EVENT, best_at, excite, noise, spelled

from kick_clip_generator.core.kinds import MEDIA, Kind, Medium
from kick_clip_generator.core.records import Highlight, Reason, Span
from kick_clip_generator.core.signal_names import CHAT_NAMES, SPEECH_NAMES
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.highlights.anchors import excitement_of
from kick_clip_generator.highlights.detect import detect, segment
from kick_clip_generator.highlights.media import ABOUT
from kick_clip_generator.highlights.merge import merge
from kick_clip_generator.highlights.scoring import measure_evidence
from kick_clip_generator.highlights.signals import SIGNALS

ALL = replace(CONFIG, **{f"min_{medium}_score": 0.0 for medium in MEDIA})
SPEECH_EVENT, CHAT_EVENT = Span(400.0, 410.0), Span(500.0, 512.0)


def beside(timeline: Timeline, names: Sequence[str], columns: Sequence[np.ndarray]) -> Timeline:
    values = np.column_stack([timeline.values, *columns]).astype(np.float32)
    return Timeline((*timeline.names, *names), values, timeline.first_tick)


def with_speech(timeline: Timeline, event: Span, strength: float = 3.0, seed: int = 0) -> Timeline:
    """Words all the time, and many of excitement in the event."""
    random = np.random.default_rng([seed, 1])
    ticks = len(timeline)
    hype, rate = 0.2 + 0.2 * random.standard_normal(ticks), 3 + 0.5 * random.standard_normal(ticks)
    low, high = round(event.start_s / TICK_S), round(event.end_s / TICK_S)
    hype[low:high] += 0.4 * strength
    rate[low:high] += strength
    return beside(timeline, SPEECH_NAMES[:2], [hype, rate])


def with_chat(timeline: Timeline, event: Span, times: float = 5.0, seed: int = 0) -> Timeline:
    """A chat that writes `times` as much in the event."""
    random = np.random.default_rng([seed, 2])
    ticks = len(timeline)
    low, high = round(event.start_s / TICK_S), round(event.end_s / TICK_S)
    louder = np.ones(ticks)
    louder[low:high] = times
    columns = {
        "chat_rate": 1 + 0.15 * random.standard_normal(ticks),
        "chat_chatters": 9 + 1.2 * random.standard_normal(ticks),
        "chat_voices": 8 + 1.2 * random.standard_normal(ticks),
        "chat_laughs": 0.1 + 0.05 * random.standard_normal(ticks),
        "chat_shouts": 0.1 + 0.05 * random.standard_normal(ticks),
        "chat_repeats": 0.1 + 0.03 * random.standard_normal(ticks),
    }
    return beside(timeline, CHAT_NAMES, [louder * columns[name] for name in CHAT_NAMES])


def test_the_names_of_speech_and_chat_are_signals_of_theirs() -> None:
    assert {name for name, signal in SIGNALS.items() if signal.medium == "chat"} == set(CHAT_NAMES)
    assert {name for name, signal in SIGNALS.items() if signal.medium == "speech"} == set(SPEECH_NAMES[:2])
    assert set(ABOUT) == set(MEDIA)


@pytest.mark.parametrize("medium", ["speech", "chat"])
def test_a_moment_that_one_medium_alone_knows_is_found_by_it(medium: Medium) -> None:
    make = {"speech": with_speech, "chat": with_chat}[medium]
    detection = detect(make(noise(800), EVENT), CONFIG)
    best = best_at(detection.by_medium[medium], EVENT)
    assert best is not None and best.kind == medium and best.score > 0.5
    assert best_at(detection.merged, EVENT) == best
    assert not best_at(detection.audio, EVENT) and not best_at(detection.video, EVENT)
    assert best.clip.start_s <= EVENT.start_s and EVENT.end_s <= best.clip.end_s
    anchor = max(segment(make(noise(800), EVENT), CONFIG).anchors, key=lambda anchor: anchor.score)
    assert anchor.medium == medium and anchor.reason.startswith(medium)


@pytest.mark.parametrize("make", [with_speech, with_chat])
def test_more_of_it_never_scores_lower(make: object) -> None:
    medium: Medium = "speech" if make is with_speech else "chat"
    scores = []
    for strength in (1.0, 2.0, 4.0, 8.0):
        found = best_at(detect(make(noise(800), EVENT, strength), ALL).by_medium[medium], EVENT)  # type: ignore[operator]
        scores.append(found.score if found else 0.0)
    assert scores == sorted(scores) and scores[-1] > 0.7


def test_a_chat_is_told_in_numbers() -> None:
    found = detect(with_chat(noise(800), EVENT, 5.0), CONFIG).chat[0]
    text = next(reason.text for reason in found.reasons if reason.signal == "chat_voices")
    times, people = text.removeprefix("chat ").removesuffix(" chatters").split(" × its baseline, ")
    assert float(times) == pytest.approx(5.5, abs=1.5) and 40 <= int(people) <= 70


def test_what_is_not_known_of_speech_and_chat_changes_nothing_and_is_not_spoken_of() -> None:
    timeline = excite(noise(1200), EVENT)
    unknown = beside(timeline, SPEECH_NAMES + CHAT_NAMES, [np.full(1200, np.nan)] * 10)
    plain, found = detect(timeline, CONFIG), detect(unknown, CONFIG)
    assert spelled(found.merged) == spelled(plain.merged)
    assert found.notes == plain.notes
    assert not any("chat" in note.lower() or "speech" in note.lower() for note in found.notes)


@pytest.mark.parametrize("medium", ["speech", "chat"])
def test_who_asks_for_one_kind_alone_is_told_that_it_is_missing(medium: Medium) -> None:
    nothing = {f"max_{other}": 0 for other in MEDIA if other != medium}
    detection = detect(excite(noise(600), EVENT), replace(CONFIG, **nothing))
    assert detection.merged == ()
    assert [note for note in detection.notes if note.startswith(f"No {medium}: ")] == list(detection.notes)


def test_caps_and_minima_are_kept_per_kind() -> None:
    timeline = noise(2400)
    timeline = with_chat(timeline, CHAT_EVENT)
    column = timeline.names.index("chat_voices")
    for second in range(60, 1140, 60):
        timeline.values[2 * second : 2 * second + 20, column] += 30 + second / 100
    assert len(detect(timeline, replace(ALL, max_chat=3)).chat) == 3
    assert detect(timeline, replace(ALL, max_chat=0)).chat == ()
    none = detect(timeline, replace(CONFIG, min_chat_score=1.0))
    assert none.chat == () and any("MIN_CHAT_SCORE=1" in note for note in none.notes)


def test_reasons_of_all_kinds_add_up_to_the_score() -> None:
    timeline = excite(excite(noise(2400), EVENT), SPEECH_EVENT, 1.5)
    timeline = with_chat(with_speech(timeline, SPEECH_EVENT), CHAT_EVENT)
    timeline.values[round(EVENT.start_s * 2) : round(EVENT.end_s * 2), timeline.names.index("chat_voices")] += 20
    detection = detect(timeline, ALL)
    assert {one.kind for one in detection.merged} >= {"fused", "chat"}
    for highlight in (*(one for found in detection.by_medium.values() for one in found), *detection.merged):
        assert sum(reason.contribution for reason in highlight.reasons) == pytest.approx(highlight.score, abs=1e-6)
    fused = next(one for one in detection.merged if one.kind == "fused" and one.event.same_moment(EVENT))
    assert any(reason.text.startswith("chat ") for reason in fused.reasons)


@pytest.mark.parametrize("gone", CHAT_NAMES)
def test_a_signal_that_goes_takes_its_reason_along(gone: str) -> None:
    timeline = with_chat(noise(800), EVENT)
    weights = {f"{name}_mean": 1.0 for name in CHAT_NAMES}
    timeline.values[:, timeline.names.index(gone)] = np.nan
    for highlight in detect(timeline, replace(ALL, chat_weights=weights)).merged:
        assert gone not in {reason.signal for reason in highlight.reasons}


def test_excitement_is_per_medium_and_in_all_and_the_missing_leave_their_share() -> None:
    timeline = with_chat(with_speech(excite(noise(1200), EVENT), SPEECH_EVENT), CHAT_EVENT)
    evidence = {medium: measure_evidence(timeline, CONFIG.weights(medium), medium) for medium in MEDIA}
    curves = excitement_of(evidence, len(timeline))
    assert list(curves) == [*MEDIA, "fused"]
    for event, medium in ((EVENT, "audio"), (SPEECH_EVENT, "speech"), (CHAT_EVENT, "chat")):
        inside = slice(round(event.start_s / TICK_S), round(event.end_s / TICK_S))
        assert curves[medium][inside].mean() > 1 > 3 * abs(np.median(curves[medium]))
        assert curves["fused"][inside].mean() > 3 * np.median(curves["fused"])
    # Media of like excitement give the same in all, whichever of them is known.
    one = {"audio": evidence["audio"]}
    np.testing.assert_allclose(excitement_of(one, 1200)["fused"], 2 * np.maximum(curves["audio"], 0))


# -- merging


def a_highlight(kind: Kind, score: float, start_s: float, end_s: float) -> Highlight:
    span = Span(start_s, end_s)
    return Highlight(
        kind, score, (start_s + end_s) / 2, span, span, (Reason(kind, score, kind),), heuristic_score=score
    )


@settings(max_examples=60, deadline=None)
@given(scores=st.dictionaries(st.sampled_from(MEDIA), st.floats(0, 1), min_size=2))
def test_agreement_of_any_media_scores_at_least_as_high_as_fewer(scores: dict[Medium, float]) -> None:
    found = [[a_highlight(medium, score, 10, 20)] for medium, score in scores.items()]
    (merged,) = merge(*found)
    assert merged.kind == ("both" if set(scores) == {"audio", "video"} else "fused")
    (fewer,) = merge(*found[:-1])
    assert merged.score >= max(fewer.score, max(scores.values())) - 1e-8
    assert sum(reason.contribution for reason in merged.reasons) == pytest.approx(merged.score, abs=1e-6)


@given(scores=st.lists(st.floats(0.05, 0.95), min_size=4, max_size=4))
def test_every_agreement_adds(scores: list[float]) -> None:
    found = [[a_highlight(medium, score, 10, 20)] for medium, score in zip(MEDIA, scores, strict=True)]
    together = [merge(*found[:n])[0].score for n in range(1, 5)]
    assert all(more > less for less, more in itertools.pairwise(together))


def test_a_chat_tells_that_and_a_picture_when() -> None:
    (merged,) = merge([], [a_highlight("video", 0.3, 100, 108)], [], [a_highlight("chat", 0.9, 98, 116)])
    assert merged.kind == "fused" and merged.event == Span(100, 108)


def test_of_two_moments_the_better_one_gets_the_burst() -> None:
    audio = [a_highlight("audio", 0.8, 100, 110), a_highlight("audio", 0.3, 112, 122)]
    merged = merge(audio, [], [], [a_highlight("chat", 0.5, 105, 118)])
    assert [(one.kind, one.event.start_s) for one in merged] == [("fused", 100), ("audio", 112)]


def test_old_kinds_are_read_and_unknown_ones_refused() -> None:
    for kind in ("audio", "video", "both", "speech", "chat", "fused"):
        assert Highlight.from_dict({"start": 1, "end": 2, "score": 0.5, "kind": kind}).kind == kind
    with pytest.raises(ValueError, match="kind"):
        Highlight.from_dict({"start": 1, "end": 2, "score": 0.5, "kind": "smell"})
