"""The learned judge of clips, fitted on stars: one regressor for all kinds, or one for audio and one for video."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator import __version__
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.learning.dataset import feature_names, table, targets
from kick_clip_generator.learning.errors import ModelError
from kick_clip_generator.learning.files import model_path, read_version, write_version

if TYPE_CHECKING:
    from kick_clip_generator.learning.estimators import Estimator

log = logging.getLogger(__name__)

# Kinds of highlights that can have a regressor of their own, and what is fitted on all of them together.
KINDS = ("audio", "video")
EVERY = "every"

Learner = Literal["auto", "taste", "ridge", "boosting"]
LEARNERS: tuple[Learner, ...] = get_args(Learner)

# Ratings from which a regressor that knows nothing of the heuristic decides half of a score (docs/decisions/0023).
HALF_SHARE = 15


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A pipeline, the columns it was fitted on, in their order, and on how many ratings."""

    pipeline: Any
    names: tuple[str, ...]
    ratings: int


def share_of(regressor: Estimator, ratings: int) -> float:
    """How much of a score a fitted regressor should decide, 0-1.

    All of it where it begins at the heuristic and leaves that only as far as ratings speak; else the more the more
    ratings it has seen: `n / (n + HALF_SHARE)`.
    """
    return 1.0 if getattr(regressor, "knows_heuristic_", False) else ratings / (ratings + HALF_SHARE)


class MLHighlightModel:
    """What the ratings taught about highlights; a `core.protocols.Scorer`.

    `audio_model` and `video_model` hold a scikit-learn regressor each. Assign any of your own; the next `fit` trains a
    clone of it, behind an imputer, so that a regressor that refuses NaN works too. After a `fit` they show the trained
    regressor; None before, and None again makes the next `fit` use the learner's.

    Args:
        n_estimators: trees of the boosting.
        learning_rate: of the boosting.
        model_factory: makes the regressor of a kind that has none assigned, instead of the learner.
        learner: "taste", a Gaussian process that begins at the heuristic, for all kinds together; "ridge", likewise;
            "boosting", for audio and for video; "auto" is what measured best, "taste".

    Example:
        >>> from sklearn.ensemble import RandomForestRegressor
        >>> model = MLHighlightModel()
        >>> model.audio_model = RandomForestRegressor(n_estimators=200)
        >>> model.fit("audio", [{"rms_mean": 0.1}, {"rms_mean": 0.9}], [1, 5]).predict("audio", [{"rms_mean": 0.8}])
        array([...])
    """

    def __init__(
        self,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        model_factory: Callable[[], Estimator] | None = None,
        learner: Learner = "auto",
    ) -> None:
        if learner not in LEARNERS:
            raise InputError(f"learner must be one of {', '.join(LEARNERS)}, got {learner!r}.")
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.model_factory = model_factory
        self.learner: Learner = learner
        # When the newest rating was given that it was trained on, in seconds since 1970.
        self.trained_until: float | None = None
        # What `save` wrote and `load` read; empty before.
        self.card: Mapping[str, Any] = {}
        self._assigned: dict[str, Estimator] = {}
        self._shown: dict[str, Estimator] = {}
        self._fitted: dict[str, _Fitted] = {}

    @property
    def audio_model(self) -> Estimator | None:
        """The regressor of audio highlights."""
        return self._shown.get("audio", self._shown.get(EVERY))

    @audio_model.setter
    def audio_model(self, regressor: Estimator | None) -> None:
        self._assign("audio", regressor)

    @property
    def video_model(self) -> Estimator | None:
        """The regressor of video highlights."""
        return self._shown.get("video", self._shown.get(EVERY))

    @video_model.setter
    def video_model(self, regressor: Estimator | None) -> None:
        self._assign("video", regressor)

    def _assign(self, kind: str, regressor: Estimator | None) -> None:
        if regressor is None:
            self._assigned.pop(kind, None)
            self._shown.pop(kind, None)
            return
        if isinstance(regressor, type) or not all(hasattr(regressor, m) for m in ("fit", "predict", "get_params")):
            raise InputError(
                f"{kind}_model cannot be {regressor!r}: it needs an instance of a scikit-learn regressor, "
                "such as RandomForestRegressor(n_estimators=200)."
            )
        self._assigned[kind] = self._shown[kind] = regressor

    def unfitted(self, n_estimators: int, learning_rate: float, learner: Learner | None = None) -> MLHighlightModel:
        """A new model with the same assigned regressors and factory, to be fitted; and the same learner, if None."""
        model = MLHighlightModel(n_estimators, learning_rate, self.model_factory, learner or self.learner)
        for kind, regressor in self._assigned.items():
            model._assign(kind, regressor)
        return model

    def is_fitted(self, kind: str) -> bool:
        """Whether `predict` has an answer for this kind."""
        return self._of(kind) is not None

    def stands_alone(self, kind: str) -> bool:
        """Whether this kind is to have a regressor of its own, fitted on its own ratings."""
        return kind in KINDS and (
            kind in self._assigned or self.model_factory is not None or self.learner == "boosting"
        )

    def share(self, kind: str) -> float | None:
        """How much of the score of a clip this model should decide, 0-1, the heuristic having the rest.

        None when this kind is not fitted; see `share_of`.
        """
        fitted = self._of(kind)
        return None if fitted is None else share_of(fitted.pipeline.steps[-1][1], fitted.ratings)

    def _of(self, kind: str) -> _Fitted | None:
        return self._fitted.get(kind, self._fitted.get(EVERY))

    def fit(self, kind: str, rows: Sequence[Mapping[str, float]], stars: Sequence[float]) -> MLHighlightModel:
        """Train the regressor of one kind from scratch.

        Args:
            kind: "audio", "video", or "every" for what answers where these do not.
            rows: feature rows of rated clips, see `core.clip_row`; unknown values are NaN or missing.
            stars: 1-5, one for each row.

        Returns:
            This model.

        Raises:
            ValueError: when rows and stars do not fit together.
            ModelError: when the regressor refuses its parameters or the data.
        """
        if kind not in (*KINDS, EVERY):
            raise ValueError(f"expected a kind of {(*KINDS, EVERY)}, got {kind!r}")
        if not rows or len(rows) != len(stars):
            raise ValueError(f"expected as many stars as rows and at least one, got {len(stars)} and {len(rows)}")
        names = feature_names(rows)
        if not names:
            raise ValueError("expected rows with at least one feature, got empty ones")
        wanted = targets(stars)
        template = self._assigned[kind] if kind in self._assigned else self._default(names)
        from kick_clip_generator.learning.estimators import fitted_pipeline

        try:
            pipeline = fitted_pipeline(template, table(rows, names), wanted)
        except (TypeError, ValueError) as error:
            raise ModelError(f"The {kind} model could not be trained by {type(template).__name__}: {error}") from error
        self._fitted[kind] = _Fitted(pipeline, names, len(rows))
        self._shown[kind] = pipeline.steps[-1][1]
        return self

    def _default(self, names: Sequence[str]) -> Estimator:
        if self.model_factory is not None:
            return self.model_factory()
        from kick_clip_generator.learning.estimators import regressor_of

        return regressor_of(self.learner, names, n_estimators=self.n_estimators, learning_rate=self.learning_rate)

    def predict(self, kind: str, rows: Sequence[Mapping[str, float]]) -> NDArray[np.float64] | None:
        """How much the person who rated would like these clips.

        Args:
            kind: of the clips, such as "audio" or "video".
            rows: feature rows; names that were not there when the model was fitted are ignored, names that were and are
                missing now count as unknown.

        Returns:
            0-1 for each row, shape `(len(rows),)`; 0 is one star and 1 is five. None when this kind is not fitted.
        """
        fitted = self._of(kind)
        if fitted is None:
            return None
        if not rows:
            return np.empty(0)
        values = np.asarray(fitted.pipeline.predict(table(rows, fitted.names)), np.float64).reshape(len(rows))
        return np.clip(values, 0.0, 1.0)

    def save(
        self, folder: Path, n: int, *, ratings: int = 0, sources: int = 0, metrics: Mapping[str, Any] | None = None
    ) -> Path:
        """Write this model as version `n`: `<n>.skops` and, last, `<n>.card.json`.

        Each file appears whole or not at all, and a version without its card does not count.

        Args:
            folder: made when it is missing.
            n: the version's number, see `versions.next_number`.
            ratings, sources: how many ratings, of how many streams, it was trained on.
            metrics: what judged it; values that JSON can hold, None for unknown.

        Returns:
            The path of the model file.

        Raises:
            ModelError: when nothing is fitted, the version exists, or a regressor cannot be kept safely.
            LibraryError: when the folder cannot be written.
        """
        if not self._fitted:
            raise ModelError("There is no trained model to save; rate clips and retrain first.")
        import sklearn
        import skops

        from kick_clip_generator.learning import skops_file

        data = skops_file.dump({kind: fitted.pipeline for kind, fitted in self._fitted.items()})
        about = {
            "number": n,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "trained_until": self.trained_until,
            "ratings": ratings,
            "sources": sources,
            "metrics": dict(metrics or {}),
            "regressors": {kind: type(fitted.pipeline.steps[-1][1]).__name__ for kind, fitted in self._fitted.items()},
            "features": {kind: list(fitted.names) for kind, fitted in self._fitted.items()},
            "fitted_on": {kind: fitted.ratings for kind, fitted in self._fitted.items()},
            "learner": self.learner,
            "n_estimators": self.n_estimators,
            "learning_rate": self.learning_rate,
            "code_version": __version__,
            "scikit_learn": sklearn.__version__,
            "skops": skops.__version__,
        }
        self.card = write_version(folder, n, data, about)
        return model_path(folder, n)

    @classmethod
    def load(cls, folder: Path, n: int) -> MLHighlightModel:
        """Read version `n`, as `save` wrote it.

        Raises:
            ModelError: when a file is missing, differs from what was saved, or holds anything but a model.
        """
        try:
            return cls._built(*read_version(folder, n))
        except ModelError as error:
            raise ModelError(f"Model {n} cannot be loaded: {error}") from error

    @classmethod
    def _built(cls, card: Mapping[str, Any], data: bytes) -> MLHighlightModel:
        import sklearn

        from kick_clip_generator.learning import skops_file

        if card["scikit_learn"] != sklearn.__version__:
            log.warning(
                "Model %s was made by scikit-learn %s and is read by %s; retraining renews it.",
                card["number"],
                card["scikit_learn"],
                sklearn.__version__,
            )
        # Cards of older versions name no learner: it was boosting.
        learner = card.get("learner", "boosting")
        model = cls(card["n_estimators"], card["learning_rate"], learner=learner if learner in LEARNERS else "auto")
        for kind, pipeline in skops_file.load(data).items():
            names = card["features"].get(kind, ())
            if kind not in (*KINDS, EVERY) or pipeline.n_features_in_ != len(names):
                raise ModelError("Its file and its card name different features.")
            model._fitted[kind] = _Fitted(pipeline, tuple(names), _ratings_of(card, kind))
            model._shown[kind] = pipeline.steps[-1][1]
        model.trained_until = card["trained_until"]
        model.card = card
        return model


def _ratings_of(card: Mapping[str, Any], kind: str) -> int:
    """How many ratings a kind was fitted on; cards of older versions say it for all kinds together."""
    fitted_on = card.get("fitted_on")
    found = fitted_on.get(kind) if isinstance(fitted_on, dict) else card.get("ratings")
    return max(found, 0) if isinstance(found, int) else 0
