"""The judge of highlights: figures that can be counted by hand, folds that share no recording, stars against scores."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from test_highlights_detect import EVENT, excite, noise

from bench import accuracy
from bench.baselines import COUNT, baselines
from bench.candidates import CONSTANTS, FAMILIES, Settings
from bench.folds import Folds
from bench.judging import (
    Label,
    Labels,
    average_precision,
    calibration,
    judge,
    judge_ranking,
    judged,
    recall_by_kind,
    right_from,
)
from bench.users import judge_ratings
from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights.detect import DetectionConfig
from kick_clip_generator.library.records import Clip


def highlight(start_s: float, end_s: float, score: float) -> Highlight:
    span = Span(start_s, end_s)
    return Highlight("audio", score, (start_s + end_s) / 2, span, span)


def label(start_s: float, end_s: float, kind: str = "cheer", *sources: str) -> Label:
    return Label(Span(start_s, end_s), kind, frozenset(sources))


LABELS = [label(10, 20), label(50, 60), label(90, 100, "laugh"), label(130, 140, "laugh")]


def test_the_labels_themselves_are_a_perfect_answer() -> None:
    found = [highlight(one.span.start_s, one.span.end_s, 0.9) for one in LABELS]
    figures = judge(found, LABELS)
    assert {name: value for name, value in figures.items() if "error" not in name} == {
        **{"ap@0.3": 1.0, "ap@0.5": 1.0, "hit@1": 1.0, "hit@5": 0.8, "hit@n": 1.0, "ends@2s": 1.0}
    }
    assert figures["start_error_s"] == figures["end_error_s"] == 0.0


def test_precision_counts_the_rank_at_which_each_label_was_found() -> None:
    # Right, wrong, right, a second one of the same label, and one that overlaps too little.
    found = [
        highlight(11, 20, 0.9),
        highlight(30, 40, 0.8),
        highlight(50, 57, 0.7),
        highlight(51, 60, 0.6),
        highlight(98, 108, 0.5),
    ]
    ranking = judged(found, LABELS)
    assert average_precision(ranking, LABELS, 0.3) == pytest.approx((1 / 1 + 2 / 3) / 4)
    assert math.isnan(average_precision(ranking, [], 0.3))
    figures = judge(found, LABELS)
    # The peak of the last one lies behind its label.
    assert figures["hit@5"] == pytest.approx(3 / 5)
    assert figures["ends@2s"] == pytest.approx(1 / 4)
    assert [one.right for one in ranking] == [True, False, True, False, False]
    assert right_from(ranking, 0.7) == pytest.approx(2 / 3) and math.isnan(right_from(ranking, 0.95))
    stream = Labels("one", Path("one.mp4"), tuple(LABELS), ())
    assert recall_by_kind([(ranking, stream)]) == {"cheer": (2, 2), "laugh": (0, 2)}


def test_calibration_counts_every_score_once() -> None:
    bins = calibration([(0.0, False), (0.05, True), (0.85, True), (0.9, True), (1.0, False)])
    assert [(row["n"], row["right"]) for row in bins] == [(2, 0.5), (1, 1.0), (2, 0.5)]
    (row,) = calibration([(0.5, True), (0.52, False)], [1.0, 0.5])
    assert (row["n"], row["right"]) == (1.5, pytest.approx(2 / 3))


def test_what_is_wrong_may_be_counted_in_parts() -> None:
    found = [highlight(30, 40, 0.8), highlight(51, 60, 0.7), highlight(100, 110, 0.6), highlight(131, 140, 0.5)]
    whole = judged(found, LABELS)
    parts = [part for one in whole for part in ([one] if one.right else [replace(one, weight=0.25)] * 4)]
    assert judge_ranking(parts, LABELS) == pytest.approx(judge_ranking(whole, LABELS))
    # Half a highlight ahead of the first: half of the first place is right.
    half = [replace(whole[0], weight=0.5), *whole[1:]]
    assert judge_ranking(half, LABELS)["hit@1"] == 0.5


def test_labels_are_read_and_a_strange_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.truth.json"
    truth = {"id": "a", "file": "a.mp4", "highlights": [{"start": 1, "end": 2, "kind": "x", "sources": ["r"]}]}
    path.write_text(json.dumps(truth), encoding="utf-8")
    read = Labels.read(path)
    assert read.highlights == (label(1, 2, "x", "r"),) and read.media == tmp_path / "a.mp4"
    path.write_text('{"id": 3', encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.truth\.json"):
        Labels.read(path)


def test_a_few_lines_find_what_is_loud() -> None:
    timeline = excite(noise(1200), EVENT, 6.0)
    found = baselines(timeline)
    assert EVENT.start_s <= found["loudness"][0].peak_s <= EVENT.end_s
    assert EVENT.start_s <= found["sum of z"][0].peak_s <= EVENT.end_s
    assert len(found["random"]) == COUNT


CONFIG = DetectionConfig(max_audio=25, max_video=25)
SHIPPED = Settings.shipped(CONFIG)
# Hears and sees nothing.
DEAF = replace(SHIPPED, audio=tuple(0.0 for _ in SHIPPED.audio), video=tuple(0.0 for _ in SHIPPED.video))


def made(number: int, *, recordings: int = 3, later_s: int = 0) -> tuple[Timeline, Labels]:
    """A stream with a moment a minute, each second one a distractor; of recordings that come again."""
    timeline, highlights, distractors = noise(1200, seed=number), [], []
    for place, second in enumerate(range(40, 560, 60)):
        timeline = excite(timeline, Span(second, second + 9), 4.0 + place % 3)
        one = label(second + later_s, second + later_s + 9, "made", f"recording {place % recordings}")
        (distractors if place % 2 else highlights).append(one)
    return timeline, Labels(str(number), Path("one.mp4"), tuple(highlights), tuple(distractors))


def folds_of(*streams: tuple[Timeline, Labels]) -> Folds:
    return Folds({one.id: timeline for timeline, one in streams}, [one for _, one in streams], CONFIG)


def test_the_same_settings_in_every_fold_give_the_plain_figures() -> None:
    (timeline, labels), other = made(1), made(2)
    ranking = folds_of((timeline, labels), other).held_out(lambda *_: SHIPPED)["1"]
    plain = judged(SHIPPED.found(timeline, CONFIG), labels.highlights)
    assert ranking == plain and any(one.right for one in plain) and not all(one.right for one in plain)
    assert judge_ranking(ranking, labels.highlights) == judge(SHIPPED.found(timeline, CONFIG), labels.highlights)


def test_each_moment_is_judged_by_the_settings_that_were_chosen_for_it() -> None:
    timeline, labels = made(1)
    first = labels.highlights[0]
    chosen = {label: SHIPPED if label is first else DEAF for label in (*labels.highlights, *labels.distractors)}
    ranking = folds_of((timeline, labels)).held_out(lambda _, label: chosen[label])["1"]
    assert [one.matched[0] for one in ranking if one.weight == 1] == [first]
    # Ordinary moments count as far as the settings that find them were chosen; distractors had others.
    whole = folds_of((timeline, labels)).held_out(lambda *_: SHIPPED)["1"]
    assert {one.weight for one in ranking if one.matched[0] is None} <= {1 / len(labels.highlights)}
    assert len(ranking) < len(whole)


def test_nothing_of_a_stream_and_none_of_its_recordings_take_part_in_a_choice() -> None:
    own, other = made(1), made(2)
    label = own[1].highlights[0]
    candidates = [SHIPPED, DEAF]
    assert folds_of(own, other).choice(candidates, "1", label) == SHIPPED
    # Labels that are all wrong in its own stream, and those of its recordings elsewhere, change no score.
    score = folds_of(own, other)._score(SHIPPED, "1", label)
    wrong = made(1, later_s=25)
    assert folds_of(wrong, other)._score(SHIPPED, "1", label) == score
    moved = [
        replace(one, span=Span(one.span.start_s + 25, one.span.end_s + 25)) if one.sources & label.sources else one
        for one in other[1].highlights
    ]
    hidden = replace(other[1], highlights=tuple(moved))
    assert folds_of(own, (other[0], hidden))._score(SHIPPED, "1", label) <= score
    assert folds_of(own, made(2, later_s=25))._score(SHIPPED, "1", label) < score
    # Where everything shares a recording nothing is known, of no settings.
    alone = made(1, recordings=1), made(2, recordings=1)
    assert folds_of(*alone)._score(SHIPPED, "1", alone[0][1].highlights[0]) == 0.0


def test_a_draw_is_the_same_each_time_and_blind_to_how_much_the_shipped_weights_are() -> None:
    louder = replace(CONFIG, audio_weights={name: 3 * weight for name, weight in CONFIG.audio_weights.items()})
    for name, draw in FAMILIES.items():
        one, other, of_louder = (
            draw(config, np.random.default_rng(seed)) for config, seed in ((CONFIG, 1), (CONFIG, 2), (louder, 1))
        )
        assert one == draw(CONFIG, np.random.default_rng(1)) != other
        assert (one == of_louder) == (name == "blind")
        assert (np.sign(one.audio) == np.sign(SHIPPED.audio)).all()
        assert all(
            constant.low <= value <= constant.high for constant, value in zip(CONSTANTS, one.constants, strict=True)
        )
    with pytest.raises(ValueError):
        replace(SHIPPED, constants=(1.0,)).found(noise(50), CONFIG)
    assert Settings.shipped(CONFIG) == SHIPPED == Settings.mean([SHIPPED, SHIPPED])


def test_hidden_cuts_are_unknown() -> None:
    hidden = accuracy.without_cuts(noise(100))
    for name in accuracy.CUT_SIGNALS:
        assert np.isnan(hidden.column(name)).all()
    assert np.isfinite(hidden.column("motion")).all()


def _clips(*pairs: tuple[float, int]) -> list[Clip]:
    return cast("list[Clip]", [SimpleNamespace(score=score, stars=stars) for score, stars in pairs])


def test_scores_that_agree_with_stars_are_told_from_those_that_do_not() -> None:
    agree = judge_ratings(_clips((0.9, 5), (0.8, 4), (0.5, 3), (0.3, 2), (0.2, 1)))
    assert (agree["spearman"], agree["auc"], agree["liked"]) == (pytest.approx(1.0), 1.0, 2)
    against: dict[str, Any] = judge_ratings(_clips((0.9, 1), (0.8, 2), (0.3, 4), (0.2, 5)))
    assert (against["spearman"], against["auc"]) == (pytest.approx(-1.0), 0.0)
    assert against["liked@5"] is None
    assert judge_ratings(_clips((0.5, 5), (0.5, 1)))["auc"] == 0.5
    assert judge_ratings(_clips((0.5, 5)))["auc"] is None


def test_a_user_without_ratings_is_told_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kick_clip_generator.library.library import Library

    with Library.open(tmp_path / "clips.db"):
        pass
    with pytest.raises(SystemExit):
        accuracy.main(["--users", str(tmp_path / "clips.db")])
    assert "rate some first" in capsys.readouterr().err
