"""The scikit-learn side of a model: which regressor, and what stands before it.

scikit-learn is loaded with this module, which costs 1.5 CPU-s and, with scipy, 140 MB; `learning.model` therefore
imports it only when something is fitted, predicted or loaded. The package root has set `OMP_NUM_THREADS` before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from kick_clip_generator.learning.aspects import aspects_of, heuristic_column
from kick_clip_generator.learning.taste import Alike, Array, Scale, Taste

# The same ratings give the same model, whoever fits it.
SEED = 0

# Of standardized columns; more than a hundred of them stand against ten ratings.
RIDGE_PENALTY = 100.0

# scikit-learn has no types of its own.
Estimator = Any


class TasteRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """`learning.taste` as a scikit-learn regressor.

    Args:
        aspects: the number of each column's aspect, negative for none; None when all columns are about one.
        heuristic: the column of the heuristic's score, -1 where there is none.
    """

    def __init__(self, aspects: NDArray[np.intp] | None = None, heuristic: int = -1) -> None:
        self.aspects = aspects
        self.heuristic = heuristic

    def fit(self, X: Array, y: Array) -> TasteRegressor:
        values, wanted = np.asarray(X, np.float64), np.asarray(y, np.float64)
        self.n_features_in_ = values.shape[1]
        scale = Scale.of(values)
        self.middle_, self.spread_ = scale.middle, scale.spread
        # Where the heuristic is not known, or the same for all, the mean rating is the better guess.
        self.knows_heuristic_ = bool(self.heuristic >= 0 and np.isfinite(scale.spread[self.heuristic]))
        self.guess_ = float(wanted.mean())
        alike = self._alike()
        taste = Taste.of(alike, alike.rows(values), self._heuristic(values), wanted)
        self.rows_, self.heuristic_, self.pull_ = taste.rows, taste.heuristic, taste.pull
        return self

    def predict(self, X: Array) -> Array:
        values = np.asarray(X, np.float64)
        alike = self._alike()
        taste = Taste(alike, self.rows_, self.heuristic_, self.pull_)
        return taste.mean(alike.rows(values), self._heuristic(values))

    def _alike(self) -> Alike:
        aspects = np.zeros(self.n_features_in_, np.intp) if self.aspects is None else self.aspects
        return Alike.of(aspects, Scale(self.middle_, self.spread_))

    def _heuristic(self, values: Array) -> Array:
        if self.knows_heuristic_:
            return np.clip(values[:, self.heuristic], 0.0, 1.0)
        return np.full(len(values), self.guess_)


def regressor_of(learner: str, names: Sequence[str], *, n_estimators: int, learning_rate: float) -> Estimator:
    """The regressor of a learner, to be fitted.

    Args:
        learner: "taste", a Gaussian process that begins at the heuristic; "ridge", a line through all columns, held
            small; "boosting", see `boosting_regressor`; "auto" is what measured best, "taste" (docs/decisions/0023).
        names: of the columns.
        n_estimators, learning_rate: of the boosting.
    """
    if learner == "boosting":
        return boosting_regressor(n_estimators, learning_rate)
    if learner == "ridge":
        return make_pipeline(StandardScaler(), Ridge(RIDGE_PENALTY))
    return TasteRegressor(aspects_of(names), heuristic_column(names))


def boosting_regressor(n_estimators: int, learning_rate: float) -> Estimator:
    """Gradient boosting for few ratings and many features.

    Flat trees, a random part of the rows and columns for each: on made ratings (120 features, three tastes) this
    ordered 0.698, 0.728 and 0.844 of unseen pairs right after 10, 20 and 50 ratings; scikit-learn's defaults 0.666,
    0.656 and 0.816, at up to four times the cost.
    """
    return GradientBoostingRegressor(
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        max_depth=2,
        max_features="sqrt",
        subsample=0.8,
        random_state=SEED,
    )


def fitted_pipeline(template: Estimator, values: Any, wanted: Any) -> Pipeline:
    """A clone of `template`, fitted behind an imputer; the template itself is left as it was.

    The imputer stands before every regressor, for gradient boosting and linear models refuse NaN. It puts the median in
    the place of an unknown value and says so in a column of its own, so that "unknown" can count as a reason; before
    our own, to which unknown is no reason, just the mean.

    Raises:
        TypeError, ValueError: whatever the regressor has to say about its parameters or data.
    """
    regressor = clone(template)
    unseeded = [
        name
        for name, value in regressor.get_params().items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    ]
    regressor.set_params(**dict.fromkeys(unseeded, SEED))
    ours = isinstance(regressor, TasteRegressor)
    imputer = SimpleImputer(strategy="mean" if ours else "median", add_indicator=not ours, keep_empty_features=True)
    return Pipeline([("imputer", imputer), ("regressor", regressor)]).fit(values, wanted)
