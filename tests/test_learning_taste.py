"""The Gaussian process that begins at the heuristic: where it stands, how far ratings move it, how it is kept."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.clip_row import HEURISTIC
from kick_clip_generator.learning.aspects import aspect_of, aspects_of
from kick_clip_generator.learning.errors import ModelError
from kick_clip_generator.learning.estimators import TasteRegressor
from kick_clip_generator.learning.files import card_path, model_path
from kick_clip_generator.learning.model import HALF_SHARE, MLHighlightModel
from kick_clip_generator.learning.taste import Alike, Scale
from tests.test_learning_files import replace_file, rewritten

Row = dict[str, float]


def rows_of(count: int, *, seed: int = 1) -> list[Row]:
    """Clips that the heuristic likes more or less, of any loudness and motion."""
    rng = np.random.default_rng(seed)
    return [
        {
            HEURISTIC: float(rng.random()),
            "rms_mean": float(rng.normal()),
            "rms_db_mean": float(rng.normal()),
            "motion_mean": float(rng.normal()),
        }
        for _ in range(count)
    ]


def scores(model: MLHighlightModel, rows: list[Row], kind: str = "audio") -> np.ndarray:
    found = model.predict(kind, rows)
    assert found is not None
    return found


def test_ratings_that_agree_with_the_heuristic_leave_it_where_it_is() -> None:
    rows = rows_of(20)
    model = MLHighlightModel().fit("every", rows, [1 + 4 * row[HEURISTIC] for row in rows])
    unseen = rows_of(50, seed=2)
    assert scores(model, unseen) == pytest.approx([row[HEURISTIC] for row in unseen], abs=1e-6)
    assert model.share("audio") == model.share("chat") == 1.0


def test_a_taste_moves_what_is_like_the_rated_clips_and_less_what_is_not() -> None:
    loud = [{HEURISTIC: 0.5 + 0.01 * k, "rms_mean": 2.0 + 0.1 * k, "motion_mean": float(k % 3)} for k in range(8)]
    calm = [{HEURISTIC: 0.5 + 0.01 * k, "rms_mean": -2.0 + 0.1 * k, "motion_mean": float(k % 3)} for k in range(8)]
    model = MLHighlightModel().fit("every", loud + calm, [1] * 8 + [5] * 8)
    like, between, unlike = scores(
        model, [{HEURISTIC: 0.5, "rms_mean": level, "motion_mean": 1.0} for level in (2.2, 0.0, -2.2)]
    )
    assert like < 0.2 < between < 0.8 < unlike


def test_a_rating_more_never_moves_the_clip_the_other_way() -> None:
    rows, stars = rows_of(20), [3.0] * 19 + [1.0]
    asked = rows_of(1, seed=9)
    before = scores(MLHighlightModel().fit("every", rows, stars), asked)[0]
    after = scores(MLHighlightModel().fit("every", [*rows, *asked], [*stars, 5]), asked)[0]
    assert after > before


def test_without_a_heuristic_the_mean_rating_is_the_guess() -> None:
    rows = [{"rms_mean": float(k)} for k in range(10)]
    model = MLHighlightModel().fit("every", rows, [3] * 9 + [4])
    assert scores(model, [{"rms_mean": 1000.0}])[0] == pytest.approx(0.5, abs=0.15)
    assert model.share("audio") == 10 / (10 + HALF_SHARE), "it does not stand where the heuristic stands"


def test_a_heuristic_that_is_unknown_for_one_clip_does_not_spoil_the_others() -> None:
    rows = rows_of(20)
    rows[3][HEURISTIC] = math.nan
    del rows[4][HEURISTIC]
    found = scores(MLHighlightModel().fit("every", rows, [3] * 20), [*rows_of(5, seed=2), {}])
    assert np.isfinite(found).all()


def test_columns_that_say_nothing_change_nothing() -> None:
    rows, stars = rows_of(20), [1 + k % 5 for k in range(20)]
    plain = scores(MLHighlightModel().fit("every", rows, stars), rows_of(9, seed=2))
    extra = [{**row, "brightness_mean": 7.1, "chat_rate_mean": math.nan} for row in rows]
    unseen = [{**row, "brightness_mean": 900.0, "chat_rate_mean": 5.0} for row in rows_of(9, seed=2)]
    assert scores(MLHighlightModel().fit("every", extra, stars), unseen) == pytest.approx(plain, abs=1e-12)


def test_an_aspect_with_many_signals_does_not_outvote_the_others() -> None:
    rng = np.random.default_rng(0)
    loud, motion = rng.normal(size=(30, 9)), rng.normal(size=(30, 1))
    names = [f"{signal}_mean" for signal in ("rms", "rms_db", "level_db", "lufs_short", "lufs_momentary")]
    names += ["rms_max", "rms_std", "surge_db_mean", "presence_db_mean", "motion_mean"]
    values = np.concatenate([loud, motion], axis=1)
    alike = Alike.of(aspects_of(names), Scale.of(values))
    assert alike.weight[:9].sum() == pytest.approx(alike.weight[9:].sum())


def test_every_column_has_an_aspect() -> None:
    assert aspect_of("mfcc_3_contrast") == "timbre" and aspect_of("event_s") == "length"
    assert aspect_of("chat_laughs_max") == aspect_of("chat_rate_mean") == "chat"
    assert aspects_of(["rms_mean", HEURISTIC, "motion_mean", "rms_max"]).tolist() == [0, -1, 1, 0]


def test_it_is_the_same_byte_for_byte_and_when_it_was_loaded(tmp_path: Path) -> None:
    rows, stars, unseen = rows_of(40), [1 + k % 5 for k in range(40)], rows_of(50, seed=7)
    rows[0]["rms_mean"] = math.nan
    one, other = (MLHighlightModel().fit("every", rows, stars) for _ in range(2))
    assert scores(one, unseen).tobytes() == scores(other, unseen).tobytes()
    one.save(tmp_path, 1)
    loaded = MLHighlightModel.load(tmp_path, 1)
    assert scores(loaded, unseen, "speech").tobytes() == scores(one, unseen).tobytes()
    assert isinstance(loaded.audio_model, TasteRegressor) and loaded.share("video") == 1.0
    card = json.loads(card_path(tmp_path, 1).read_text())
    assert (card["learner"], card["fitted_on"], card["regressors"]) == (
        "auto",
        {"every": 40},
        {"every": "TasteRegressor"},
    )


@pytest.mark.parametrize("shape", [(3,), (2, 2), (0,)])
def test_arrays_of_a_strange_shape_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    MLHighlightModel().fit("every", rows_of(12), [1 + k % 5 for k in range(12)]).save(tmp_path, 1)

    def change(name: str, old: bytes) -> bytes:
        if not name.endswith(".npy") or np.load(io.BytesIO(old)).shape != (12, 4):
            return old
        buffer = io.BytesIO()
        np.save(buffer, np.zeros(shape))
        return buffer.getvalue()

    replace_file(tmp_path, 1, rewritten(model_path(tmp_path, 1).read_bytes(), change))
    with pytest.raises(ModelError, match="no readable model file"):
        MLHighlightModel.load(tmp_path, 1)


def test_a_learner_has_a_name() -> None:
    with pytest.raises(Exception, match="learner must be one of auto, taste, ridge, boosting"):
        MLHighlightModel(learner="magic")  # type: ignore[arg-type]
