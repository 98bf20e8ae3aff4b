"""The learned judge: what it learns, what it does with the unknown, and what a user may assign."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kick_clip_generator
from kick_clip_generator import MLHighlightModel
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.learning.errors import ModelError

Row = dict[str, float]


def loud_taste(count: int, *, seed: int) -> tuple[list[Row], list[int]]:
    """Clips of somebody who likes it loud and does not care for the rest."""
    rng = np.random.default_rng(seed)
    loud = rng.random(count)
    rows = [
        {"rms_mean": float(level), **{f"signal_{k}_mean": float(rng.normal()) for k in range(20)}} for level in loud
    ]
    return rows, [1 + int(level * 4.999) for level in loud]


def pairs_right(stars: list[int], scores: np.ndarray) -> float:
    """Share of pairs with different stars that the scores order alike."""
    given = np.asarray(stars)
    above = given[:, None] > given[None, :]
    return float((scores[:, None] > scores[None, :])[above].mean())


def test_a_learnt_taste_ranks_unseen_clips() -> None:
    model = MLHighlightModel().fit("audio", *loud_taste(40, seed=1))
    rows, stars = loud_taste(100, seed=2)
    scores = model.predict("audio", rows)
    assert scores is not None and scores.shape == (100,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert pairs_right(stars, scores) > 0.85


def test_the_opposite_taste_ranks_the_other_way() -> None:
    rows, stars = loud_taste(40, seed=1)
    model = MLHighlightModel().fit("audio", rows, [6 - star for star in stars])
    unseen, loud = loud_taste(100, seed=2)
    scores = model.predict("audio", unseen)
    assert scores is not None
    assert pairs_right(loud, scores) < 0.15


def test_one_and_five_stars_are_the_ends_of_the_scale() -> None:
    model = MLHighlightModel(n_estimators=300).fit("video", [{"motion_mean": x} for x in (0.0, 1.0) * 20], [1, 5] * 20)
    assert model.predict("video", [{"motion_mean": 0.0}, {"motion_mean": 1.0}]) == pytest.approx([0, 1], abs=0.02)


def test_scores_of_a_regressor_that_goes_beyond_are_clipped() -> None:
    model = MLHighlightModel(model_factory=lambda: Ridge(1e-6))
    model.fit("audio", [{"rms_mean": 0.0}, {"rms_mean": 1.0}], [1, 5])
    scores = model.predict("audio", [{"rms_mean": -10.0}, {"rms_mean": 10.0}])
    assert scores is not None and scores.tolist() == [0.0, 1.0]


def test_an_unfitted_kind_has_no_answer() -> None:
    model = MLHighlightModel()
    assert model.predict("audio", [{"rms_mean": 1.0}]) is None
    model.fit("audio", *loud_taste(10, seed=1))
    assert model.predict("video", [{"rms_mean": 1.0}]) is None
    assert model.audio_model is not None and model.video_model is None


def test_no_rows_give_no_scores() -> None:
    scores = MLHighlightModel().fit("audio", *loud_taste(10, seed=1)).predict("audio", [])
    assert scores is not None and scores.shape == (0,)


@pytest.mark.parametrize(
    "regressor",
    [None, RandomForestRegressor(20), GradientBoostingRegressor(), make_pipeline(StandardScaler(), Ridge())],
    ids=["default", "forest", "boosting", "linear"],
)
def test_unknown_values_are_no_obstacle(regressor: object) -> None:
    rows, stars = loud_taste(40, seed=1)
    for k, row in enumerate(rows):
        row["signal_0_mean"] = math.nan
        row["never_known_mean"] = math.nan
        if k % 3 == 0:
            row["signal_1_mean"] = math.inf
        if k % 4 == 0:
            del row["signal_2_mean"]
    model = MLHighlightModel()
    model.audio_model = regressor
    model.fit("audio", rows, stars)
    unseen, loud = loud_taste(60, seed=2)
    scores = model.predict("audio", [{**row, "signal_3_mean": math.nan} for row in unseen])
    assert scores is not None and np.isfinite(scores).all()
    assert pairs_right(loud, scores) > 0.75


def test_that_a_value_is_unknown_can_itself_be_learnt() -> None:
    rows = [{"rms_mean": math.nan if k % 2 else 0.5, "zcr_mean": 0.1} for k in range(40)]
    model = MLHighlightModel(learner="boosting").fit("audio", rows, [1 if k % 2 else 5 for k in range(40)])
    scores = model.predict("audio", [{"rms_mean": math.nan, "zcr_mean": 0.1}, {"rms_mean": 0.5, "zcr_mean": 0.1}])
    assert scores is not None and scores[0] < 0.2 < 0.8 < scores[1]


def test_columns_are_found_by_name() -> None:
    rows, stars = loud_taste(30, seed=1)
    model = MLHighlightModel().fit("audio", rows, stars)
    unseen, _ = loud_taste(20, seed=2)
    turned = [dict(reversed([*row.items(), ("a_new_signal_mean", 1e9)])) for row in unseen]
    assert np.array_equal(model.predict("audio", unseen), model.predict("audio", turned))  # type: ignore[arg-type]


def test_a_missing_name_counts_as_unknown() -> None:
    rows, stars = loud_taste(30, seed=1)
    model = MLHighlightModel().fit("audio", rows, stars)
    without = [{name: value for name, value in row.items() if name != "rms_mean"} for row in rows]
    unknown = [{**row, "rms_mean": math.nan} for row in rows]
    assert np.array_equal(model.predict("audio", without), model.predict("audio", unknown))  # type: ignore[arg-type]


@pytest.mark.parametrize("regressor", [None, RandomForestRegressor(20), HistGradientBoostingRegressor()])
def test_same_ratings_same_model(regressor: object) -> None:
    def answer() -> np.ndarray | None:
        model = MLHighlightModel()
        model.video_model = regressor
        return model.fit("video", *loud_taste(30, seed=1)).predict("video", loud_taste(30, seed=2)[0])

    first, second = answer(), answer()
    assert first is not None and second is not None and np.array_equal(first, second)


def test_an_assigned_forest_takes_the_place_of_the_boosting() -> None:
    forest = RandomForestRegressor(n_estimators=200)
    model = MLHighlightModel(learner="boosting")
    model.audio_model = forest
    assert model.audio_model is forest
    model.fit("audio", *loud_taste(20, seed=1)).fit("video", *loud_taste(20, seed=1))
    assert isinstance(model.audio_model, RandomForestRegressor) and len(model.audio_model.estimators_) == 200
    assert isinstance(model.video_model, GradientBoostingRegressor)
    assert not hasattr(forest, "estimators_"), "the user's own object was trained"
    model.fit("audio", *loud_taste(20, seed=3))
    assert isinstance(model.audio_model, RandomForestRegressor)
    model.audio_model = None
    assert isinstance(model.fit("audio", *loud_taste(20, seed=1)).audio_model, GradientBoostingRegressor)


def test_an_unfitted_copy_keeps_what_was_assigned() -> None:
    model = MLHighlightModel(model_factory=Ridge)
    model.audio_model = RandomForestRegressor(7)
    copy = model.fit("audio", *loud_taste(20, seed=1)).unfitted(50, 0.2)
    assert copy.predict("audio", [{"rms_mean": 1.0}]) is None
    copy.fit("audio", *loud_taste(20, seed=1)).fit("video", *loud_taste(20, seed=1))
    assert len(copy.audio_model.estimators_) == 7  # type: ignore[union-attr]
    assert isinstance(copy.video_model, Ridge)


def test_boosting_has_the_trees_that_were_asked_for() -> None:
    model = MLHighlightModel(7, 0.3, learner="boosting").fit("audio", *loud_taste(20, seed=1))
    assert model.audio_model is not None
    assert (model.audio_model.n_estimators, model.audio_model.learning_rate) == (7, 0.3)


@pytest.mark.parametrize("thing", ["a forest", RandomForestRegressor, 5])
def test_what_is_no_regressor_cannot_be_assigned(thing: object) -> None:
    with pytest.raises(InputError, match="audio_model cannot be"):
        MLHighlightModel().audio_model = thing


def test_a_regressor_that_refuses_says_why() -> None:
    model = MLHighlightModel()
    model.audio_model = RandomForestRegressor(n_estimators=-1)
    with pytest.raises(ModelError, match=r"audio model could not be trained by RandomForestRegressor.*n_estimators"):
        model.fit("audio", *loud_taste(10, seed=1))


@pytest.mark.parametrize(
    ("rows", "stars"),
    [
        ([], []),
        ([{"rms_mean": 1.0}], [1, 2]),
        ([{"rms_mean": 1.0}], [6]),
        ([{"rms_mean": 1.0}], [math.nan]),
        ([{}], [3]),
    ],
    ids=["none", "uneven", "six stars", "NaN stars", "no features"],
)
def test_ratings_that_do_not_fit_are_refused(rows: list[Row], stars: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        MLHighlightModel().fit("audio", rows, stars)


def test_scikit_learn_loads_only_for_a_model_at_work() -> None:
    script = (
        "import sys, kick_clip_generator as k; m = k.MLHighlightModel(); import kick_clip_generator.learning.train;"
        "assert m.predict('audio', []) is None;"
        "sys.exit(bool({'sklearn', 'skops', 'scipy'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(kick_clip_generator.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0
