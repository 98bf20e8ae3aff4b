"""Models on disk: equal after loading, and harmless whatever a stranger's file holds."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.learning import skops_file
from kick_clip_generator.learning.errors import ModelError
from kick_clip_generator.learning.files import card_path, model_path
from kick_clip_generator.learning.model import MLHighlightModel
from kick_clip_generator.learning.versions import keep_newest, load_active, next_number

Row = dict[str, float]


def ratings(count: int = 30, *, seed: int = 1) -> tuple[list[Row], list[int]]:
    rng = np.random.default_rng(seed)
    rows = [{name: float(rng.normal()) for name in ("rms_mean", "motion_mean", "zcr_mean")} for _ in range(count)]
    rows[0]["zcr_mean"] = float("nan")
    return rows, [int(star) for star in rng.integers(1, 6, count)]


def trained(regressor: Any = None, *, seed: int = 1) -> MLHighlightModel:
    model = MLHighlightModel(n_estimators=5, learner="boosting")
    model.audio_model = regressor
    model.video_model = Ridge() if isinstance(regressor, Ridge) else None
    return model.fit("audio", *ratings(seed=seed)).fit("video", *ratings(seed=seed + 100))


def replace_file(folder: Path, n: int, data: bytes) -> None:
    """Put other bytes in the place of a model and make its card agree, as an attacker would."""
    model_path(folder, n).write_bytes(data)
    card = json.loads(card_path(folder, n).read_text())
    card["sha256"] = hashlib.sha256(data).hexdigest()
    card_path(folder, n).write_text(json.dumps(card))


def rewritten(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A skops archive with its members changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target.getvalue()


@pytest.mark.parametrize(
    "regressor",
    [
        None,
        RandomForestRegressor(5, oob_score=False),
        ExtraTreesRegressor(5),
        GradientBoostingRegressor(loss="huber", n_estimators=5),
        HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=3),
        make_pipeline(StandardScaler(), Ridge()),
    ],
    ids=["default", "forest", "extra trees", "huber", "histogram", "linear"],
)
def test_a_loaded_model_answers_as_the_saved_one(regressor: object, tmp_path: Path) -> None:
    model = trained(regressor)
    model.save(tmp_path / "models", 1)
    loaded = MLHighlightModel.load(tmp_path / "models", 1)
    unseen, _ = ratings(50, seed=7)
    for kind in ("audio", "video"):
        assert np.array_equal(model.predict(kind, unseen), loaded.predict(kind, unseen))  # type: ignore[arg-type]
    assert type(loaded.audio_model) is type(model.audio_model)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["1.card.json", "1.skops"]


def test_the_card_says_what_the_model_is(tmp_path: Path) -> None:
    model = trained()
    model.trained_until = 1_700_000_000.5
    path = model.save(tmp_path, 3, ratings=60, sources=4, metrics={"pairwise_accuracy": 0.7, "new": None})
    card = json.loads(card_path(tmp_path, 3).read_text())
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (card["number"], card["ratings"], card["sources"]) == (3, 60, 4)
    assert card["metrics"] == {"pairwise_accuracy": 0.7, "new": None}
    assert card["features"]["audio"] == ["motion_mean", "rms_mean", "zcr_mean"]
    assert card["regressors"] == {"audio": "GradientBoostingRegressor", "video": "GradientBoostingRegressor"}
    assert MLHighlightModel.load(tmp_path, 3).trained_until == 1_700_000_000.5


def test_nothing_trained_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no trained model"):
        MLHighlightModel().save(tmp_path, 1)
    assert not list(tmp_path.iterdir())


def test_a_version_is_never_overwritten(tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    before = model_path(tmp_path, 1).read_bytes()
    with pytest.raises(ModelError, match="exists already"):
        trained(seed=2).save(tmp_path, 1)
    assert model_path(tmp_path, 1).read_bytes() == before


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(LibraryError):
        trained().save(tmp_path / "models", 1)


@pytest.mark.parametrize("regressor", [SVR(), make_pipeline(FunctionTransformer(np.tanh), Ridge())])
def test_a_regressor_that_cannot_be_loaded_safely_is_not_saved(regressor: object, tmp_path: Path) -> None:
    model = trained(regressor)
    with pytest.raises(ModelError, match=r"safe to load.*sklearn\."):
        model.save(tmp_path, 1)
    assert not list(tmp_path.iterdir())


def test_a_tampered_file_is_refused(tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    data = bytearray(model_path(tmp_path, 1).read_bytes())
    data[len(data) // 2] ^= 1
    model_path(tmp_path, 1).write_bytes(data)
    with pytest.raises(ModelError, match="not the one that was saved"):
        MLHighlightModel.load(tmp_path, 1)


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    mark = tmp_path / "was-run"
    poison = pickle.dumps(Payload(mark))
    replace_file(tmp_path, 1, poison)
    with pytest.raises(ModelError, match="Model 1 cannot be loaded"):
        MLHighlightModel.load(tmp_path, 1)
    assert not mark.exists()
    pickle.loads(poison)
    assert mark.exists(), "the payload of this test does nothing"


def test_a_pickle_inside_the_archive_is_refused_and_not_run(tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    mark = tmp_path / "was-run"
    poisoned = np.array([Payload(mark)], dtype=object)
    buffer = io.BytesIO()
    np.save(buffer, poisoned, allow_pickle=True)
    data = rewritten(
        model_path(tmp_path, 1).read_bytes(), lambda name, old: buffer.getvalue() if name.endswith(".npy") else old
    )
    replace_file(tmp_path, 1, data)
    with pytest.raises(ModelError):
        MLHighlightModel.load(tmp_path, 1)
    assert not mark.exists()


def add_to_schema(node: dict[str, Any]) -> Callable[[str, bytes], bytes]:
    """A change that puts one more node into the archive's top-level dictionary."""

    def change(name: str, old: bytes) -> bytes:
        if name != "schema.json":
            return old
        schema = json.loads(old)
        schema["content"]["audio"] = node
        return json.dumps(schema).encode()

    return change


@pytest.mark.parametrize(
    "node",
    [
        {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
        {"__class__": "SVR", "__module__": "sklearn.svm._classes", "__loader__": "ObjectNode"},
        {"__class__": "dict", "__module__": "builtins", "__loader__": "FunctionNode"},
        {"__class__": "float64", "__module__": "numpy", "__loader__": "PartialNode", "content": {}},
    ],
    ids=["a function", "another estimator", "a trusted name built otherwise", "a partial"],
)
def test_a_name_that_is_not_on_the_list_is_refused(node: dict[str, Any], tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    replace_file(tmp_path, 1, rewritten(model_path(tmp_path, 1).read_bytes(), add_to_schema(node)))
    with pytest.raises(ModelError, match="not on the list"):
        MLHighlightModel.load(tmp_path, 1)


def with_nodes(data: bytes, field: str, value: int) -> bytes:
    """An archive whose every tree has `value` in one field of its first node."""
    changed = 0

    def change(name: str, old: bytes) -> bytes:
        nonlocal changed
        if not name.endswith(".npy"):
            return old
        array = np.load(io.BytesIO(old), allow_pickle=False)
        if field not in (array.dtype.names or ()):
            return old
        array[field][:1] = value
        changed += 1
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return buffer.getvalue()

    result = rewritten(data, change)
    assert changed, "no tree was changed"
    return result


@pytest.mark.parametrize(
    ("regressor", "field", "value"),
    [
        (None, "left_child", 10**6),
        (None, "right_child", -7),
        (None, "left_child", 0),
        (None, "feature", 10**6),
        (None, "feature", -3),
        (RandomForestRegressor(3), "feature", 10**6),
        (HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=3), "left", 10**6),
        (HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=3), "feature_idx", 1000),
        (HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=3), "is_categorical", 1),
    ],
)
def test_a_tree_that_leads_outside_of_itself_is_refused(
    regressor: object, field: str, value: int, tmp_path: Path
) -> None:
    trained(regressor).save(tmp_path, 1)
    replace_file(tmp_path, 1, with_nodes(model_path(tmp_path, 1).read_bytes(), field, value))
    with pytest.raises(ModelError, match="decision tree"):
        MLHighlightModel.load(tmp_path, 1)


def test_a_tree_that_is_something_else_is_refused(tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    none = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "null", "is_json": True}

    def change(name: str, old: bytes) -> bytes:
        if name != "schema.json":
            return old
        return json.dumps(json.loads(old, object_hook=lambda d: {**d, "tree_": none} if "tree_" in d else d)).encode()

    replace_file(tmp_path, 1, rewritten(model_path(tmp_path, 1).read_bytes(), change))
    with pytest.raises(ModelError, match="without nodes"):
        MLHighlightModel.load(tmp_path, 1)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained().save(tmp_path, 1)
    monkeypatch.setattr(skops_file, "LARGEST_BYTES", 1000)
    with pytest.raises(ModelError, match="unpacks to more"):
        MLHighlightModel.load(tmp_path, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"sha256": None},
        {"features": {"audio": [1, 2, 3]}},
        {"features": {"audio": ["rms_mean"], "video": ["rms_mean"]}},
        {"features": {}},
        {"n_estimators": "many"},
    ],
)
def test_a_card_that_does_not_fit_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    card = json.loads(card_path(tmp_path, 1).read_text())
    card_path(tmp_path, 1).write_text(json.dumps({**card, **change}))
    with pytest.raises(ModelError, match="Model 1 cannot be loaded"):
        MLHighlightModel.load(tmp_path, 1)


@pytest.mark.parametrize("text", ["", "no json", "[]", "[" * 100_000, "\xff"])
def test_a_card_that_is_no_card_is_refused(text: str, tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    card_path(tmp_path, 1).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match="Model 1 cannot be loaded"):
        MLHighlightModel.load(tmp_path, 1)


def test_versions_count_upwards_and_the_oldest_go(tmp_path: Path) -> None:
    assert next_number(tmp_path / "missing") == 1
    for expected in range(1, 8):
        assert next_number(tmp_path) == expected
        trained(Ridge()).save(tmp_path, expected)
    assert keep_newest(tmp_path, active=1) == [2]
    assert [n for n in range(1, 9) if card_path(tmp_path, n).exists()] == [1, 3, 4, 5, 6, 7]
    assert not model_path(tmp_path, 2).exists()
    assert next_number(tmp_path) == 8


def test_the_active_version_is_loaded(tmp_path: Path) -> None:
    for n in (1, 2, 3):
        trained(Ridge(), seed=n).save(tmp_path, n)
    found = load_active(tmp_path, 2)
    unseen, _ = ratings(20, seed=9)
    assert found.model is not None
    assert (found.number, found.note) == (2, "")
    assert np.array_equal(found.model.predict("audio", unseen), trained(Ridge(), seed=2).predict("audio", unseen))  # type: ignore[arg-type]


def test_a_damaged_version_gives_way_to_the_one_before(tmp_path: Path) -> None:
    for n in (1, 2, 3, 4):
        trained(Ridge(), seed=n).save(tmp_path, n)
    model_path(tmp_path, 3).write_bytes(b"damaged")
    model_path(tmp_path, 2).unlink()
    found = load_active(tmp_path, 3)
    assert found.model is not None and found.number == 1
    assert "Model 3 cannot be loaded" in found.note and "version 1 is used instead" in found.note


def test_without_any_readable_version_there_is_a_sentence_and_no_model(tmp_path: Path) -> None:
    assert load_active(tmp_path, None).model is None
    found = load_active(tmp_path, 4)
    assert found.model is None and found.number is None
    assert "without a model" in found.note
