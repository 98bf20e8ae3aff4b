"""The judge of highlights: figures that can be counted by hand, folds that share no recording, stars against scores."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from test_highlights_detect import EVENT, excite, noise

from bench import accuracy, folds
from bench.baselines import baselines
from bench.judging import Label, Labels, average_precision, calibration, judge, recall_by_kind, scored
from bench.users import judge_ratings
from kick_clip_generator.core.records import Highlight, Span
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
    assert average_precision(found, LABELS, 0.3) == pytest.approx((1 / 1 + 2 / 3) / 4)
    assert average_precision(found, [], 0.3) is not None and math.isnan(average_precision(found, [], 0.3))
    figures = judge(found, LABELS)
    # The peak of the last one lies behind its label.
    assert figures["hit@5"] == pytest.approx(3 / 5)
    assert figures["ends@2s"] == pytest.approx(1 / 4)
    assert scored(found, LABELS) == [(0.9, True), (0.8, False), (0.7, True), (0.6, False), (0.5, False)]
    stream = Labels("one", Path("one.mp4"), tuple(LABELS), ())
    assert recall_by_kind([(found, stream)]) == {"cheer": (2, 2), "laugh": (0, 2)}


def test_calibration_counts_every_score_once() -> None:
    bins = calibration([(0.0, False), (0.05, True), (0.85, True), (0.9, True), (1.0, False)])
    assert [(row["n"], row["right"]) for row in bins] == [(2, 0.5), (1, 1.0), (2, 0.5)]


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
    assert len(found["random"]) == folds.GROUPS * 10


def test_held_out_labels_share_no_recording_with_those_of_the_choice() -> None:
    timeline, labels = noise(2400), []
    for number, second in enumerate(range(40, 1160, 60)):
        timeline = excite(timeline, Span(second, second + 9), 4.0)
        labels.append(label(second, second + 9, "made", f"recording {number % 6}"))
    stream = Labels("one", Path("one.mp4"), tuple(labels), ())
    config = DetectionConfig(max_audio=25, max_video=25)
    held = folds.held_out({"one": timeline}, [stream], config, 0.3)
    # Every moment is found, and the masked ones do not count against the rest.
    assert held.chosen == pytest.approx(1.0) and held.shipped == pytest.approx(1.0)
    mixed = [label(one.span.start_s, one.span.end_s, "made", "recording 0", "recording 1") for one in labels]
    stream = Labels("one", Path("one.mp4"), tuple(mixed), ())
    group_of = {"recording 0": 0, "recording 1": 1}
    found = {"one": [highlight(40, 49, 0.9)]}
    assert folds._score(found, [stream], group_of, frozenset({0}), 0.3)[1] == 0
    assert folds._score(found, [stream], group_of, frozenset({0, 1}), 0.3)[1] == len(mixed)


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
