"""Models as bytes, and back, without ever running what a file says.

A pickle or joblib file runs code when it is loaded. A skops file is a zip archive of JSON and plain numpy arrays: it
names classes, and only names on a list are built. Here the list is complete and written out: skops by itself trusts
every estimator of scikit-learn, and some of them hand sizes from the file to C code unchecked. Trees do that too, so
their nodes are checked before anybody predicts with them (https://github.com/scikit-learn/scikit-learn/pull/34558).
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import skops.io
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.tree._tree import Tree

from kick_clip_generator.learning.errors import ModelError

# A forest of 200 deep trees on 1,000 ratings is about 20 MB; an archive that unpacks to more than this is no model.
LARGEST_BYTES = 512 * 1024 * 1024

TRUSTED = frozenset(
    {
        # Plain values
        *(f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "str", "tuple")),
        *(f"numpy.{name}" for name in ("bool", "bool_", "dtype", "ndarray", "intp", "str_")),
        *(f"numpy.{name}" for name in ("float32", "float64", "int32", "int64", "uint8", "uint32", "uint64")),
        "numpy.random._generator.Generator",
        "numpy.random.mtrand.RandomState",
        # What stands before a regressor
        "sklearn.impute._base.MissingIndicator",
        "sklearn.impute._base.SimpleImputer",
        "sklearn.pipeline.Pipeline",
        *(f"sklearn.preprocessing._data.{name}" for name in ("MinMaxScaler", "RobustScaler", "StandardScaler")),
        # Our own: arrays and numbers, and numpy alone reads them
        "kick_clip_generator.learning.estimators.TasteRegressor",
        # Trees and what boosting keeps of its loss and bins
        "sklearn.ensemble._forest.ExtraTreesRegressor",
        "sklearn.ensemble._forest.RandomForestRegressor",
        "sklearn.ensemble._gb.GradientBoostingRegressor",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        *(f"sklearn._loss.link.{name}" for name in ("IdentityLink", "Interval")),
        *(
            f"sklearn._loss.{module}{loss}"
            for module, losses in {
                "loss.": ("AbsoluteError", "HalfSquaredError", "HuberLoss", "PinballLoss"),
                "_loss.Cy": ("AbsoluteError", "HalfSquaredError", "HuberLoss", "PinballLoss"),
            }.items()
            for loss in losses
        ),
        "sklearn.tree._classes.DecisionTreeRegressor",
        "sklearn.tree._classes.ExtraTreeRegressor",
        "sklearn.tree._tree.Tree",
        # Linear models
        "sklearn.dummy.DummyRegressor",
        "sklearn.linear_model._base.LinearRegression",
        "sklearn.linear_model._bayes.BayesianRidge",
        *(f"sklearn.linear_model._coordinate_descent.{name}" for name in ("ElasticNet", "Lasso")),
        "sklearn.linear_model._huber.HuberRegressor",
        *(f"sklearn.linear_model._ridge.{name}" for name in ("Ridge", "RidgeCV")),
    }
)

# How skops builds a named thing. Those that take a function, a method or a constructor's arguments are not among them.
BUILDERS = frozenset(
    f"{name}Node"
    for name in (
        "DType", "Dict", "Json", "List", "Loss", "NdArray", "Object", "RandomGenerator", "RandomState", "Tree", "Tuple",
        "Type",
    )
)  # fmt: skip


def dump(models: Mapping[str, Pipeline]) -> bytes:
    """Fitted pipelines by kind, as the bytes of one skops file.

    Raises:
        ModelError: when a model holds something that `load` would refuse.
    """
    try:
        data = skops.io.dumps(dict(models), compression=zipfile.ZIP_DEFLATED)
    except Exception as error:  # skops passes on whatever the object's own methods raise
        raise ModelError(f"The model cannot be kept in a file: {error}. Choose another regressor.") from error
    try:
        load(bytes(data))
    except ModelError as error:
        raise ModelError(f"The model cannot be kept in a file that is safe to load: {error}") from error
    return bytes(data)


def load(data: bytes) -> dict[str, Pipeline]:
    """The inverse of `dump`; nothing outside `TRUSTED` is built.

    Raises:
        ModelError: when the bytes are no skops file, are damaged, or hold anything that is not trusted.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST_BYTES:
                raise ModelError("It unpacks to more than a model ever takes.")
            _check_names(json.loads(archive.read("schema.json")))
        with warnings.catch_warnings():
            # The version is in the card, and `model.load` says it once; scikit-learn would say it for each tree.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            models = skops.io.loads(data, trusted=sorted(TRUSTED))
        _check_models(models)
    except ModelError:
        raise
    except Exception as error:  # a stranger's file may fail at any depth of zipfile, json, numpy, skops or scikit-learn
        raise ModelError(f"It is no readable model file ({type(error).__name__}).") from error
    return dict(models)


def _check_names(schema: object) -> None:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            if "__class__" in node or "__loader__" in node:
                name = f"{node.get('__module__')}.{node.get('__class__')}"
                if name not in TRUSTED or node.get("__loader__") not in BUILDERS:
                    raise ModelError(
                        f"It holds {name[:120]!r}, which is not on the list of what a model may be made of."
                    )


def _check_models(models: Any) -> None:
    if not (isinstance(models, dict) and models):
        raise ModelError("It holds no models.")
    for pipeline in models.values():
        first = pipeline.steps[0][1] if isinstance(pipeline, Pipeline) and len(pipeline.steps) == 2 else None
        if not isinstance(first, SimpleImputer):
            raise ModelError("It holds something other than a regressor behind an imputer.")
        _check_trees(pipeline)
        unknown = np.full((1, pipeline.n_features_in_), np.nan)
        if np.shape(pipeline.predict(unknown)) != (1,):
            raise ModelError("It does not answer with one number for a clip.")


def _check_trees(pipeline: Pipeline) -> None:
    """Every node of every tree leads forward to a node that exists, and looks at a column that exists.

    scikit-learn compares the width of its input with `n_features_in_` of the estimator that holds the trees, so a
    tree that looks at no column beyond the narrowest of them never reads outside its input.
    """
    widths: list[int] = []
    trees = _trees_in(pipeline, widths)
    width = min(widths, default=0)
    for tree in trees:
        if isinstance(tree, Tree):
            inner = tree.children_left != -1
            left, right, column = (a[inner] for a in (tree.children_left, tree.children_right, tree.feature))
            categorical = np.zeros(1, bool)
        else:
            inner = tree.nodes["is_leaf"] == 0
            left, right, column = (
                tree.nodes[name][inner].astype(np.int64) for name in ("left", "right", "feature_idx")
            )
            categorical = tree.nodes["is_categorical"] != 0
        parents = np.flatnonzero(inner)
        sound = (
            len(inner) > 0
            and np.all((left > parents) & (left < len(inner)) & (right > parents) & (right < len(inner)))
            and np.all((column >= 0) & (column < width))
            and not categorical.any()
        )
        if not sound:
            raise ModelError("It holds a decision tree whose nodes lead outside of it.")


def _trees_in(value: Any, widths: list[int]) -> list[Any]:
    """All trees under `value`; the widths of the estimators above them go into `widths`."""
    if isinstance(value, (Tree, TreePredictor)):
        return [value]
    if isinstance(value, BaseEstimator):
        if "tree_" in vars(value) and not isinstance(vars(value)["tree_"], Tree):
            # C code takes it for a Tree without asking.
            raise ModelError("It holds a decision tree without nodes.")
        found = _trees_in(vars(value), widths)
        if found and not isinstance(value, Pipeline):
            widths.append(int(vars(value).get("n_features_in_", 0)))
        return found
    if isinstance(value, dict):
        parts: list[Any] = list(value.values())
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        parts = list(value.flat)
    else:
        return []
    return [tree for part in parts for tree in _trees_in(part, widths)]
