"""The learned judge of clips: one regressor for audio, one for video, fitted on stars."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

KINDS = ("audio", "video")


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A pipeline and the columns it was fitted on, in their order."""

    pipeline: Any
    names: tuple[str, ...]


class MLHighlightModel:
    """What the ratings taught about audio and video highlights; a `core.protocols.Scorer`.

    `audio_model` and `video_model` hold a scikit-learn regressor each. Assign any of your own; the next `fit` trains a
    clone of it, behind an imputer, so that a regressor that refuses NaN works too. After a `fit` they show the trained
    regressor; None before, and None again makes the next `fit` use gradient boosting.

    Args:
        n_estimators: trees of the boosting.
        learning_rate: of the boosting.
        model_factory: makes the regressor of a kind that has none assigned, instead of the boosting.

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
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.model_factory = model_factory
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
        return self._shown.get("audio")

    @audio_model.setter
    def audio_model(self, regressor: Estimator | None) -> None:
        self._assign("audio", regressor)

    @property
    def video_model(self) -> Estimator | None:
        """The regressor of video highlights."""
        return self._shown.get("video")

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

    def unfitted(self, n_estimators: int, learning_rate: float) -> MLHighlightModel:
        """A new model with the same assigned regressors and factory, to be fitted."""
        model = MLHighlightModel(n_estimators, learning_rate, self.model_factory)
        for kind, regressor in self._assigned.items():
            model._assign(kind, regressor)
        return model

    def is_fitted(self, kind: str) -> bool:
        """Whether `predict` has an answer for this kind."""
        return kind in self._fitted

    def fit(self, kind: str, rows: Sequence[Mapping[str, float]], stars: Sequence[float]) -> MLHighlightModel:
        """Train the regressor of one kind from scratch.

        Args:
            kind: "audio" or "video".
            rows: feature rows of rated clips, see `core.clip_row`; unknown values are NaN or missing.
            stars: 1-5, one for each row.

        Returns:
            This model.

        Raises:
            ValueError: when rows and stars do not fit together.
            ModelError: when the regressor refuses its parameters or the data.
        """
        if kind not in KINDS:
            raise ValueError(f"expected a kind of {KINDS}, got {kind!r}")
        if not rows or len(rows) != len(stars):
            raise ValueError(f"expected as many stars as rows and at least one, got {len(stars)} and {len(rows)}")
        names = feature_names(rows)
        if not names:
            raise ValueError("expected rows with at least one feature, got empty ones")
        wanted = targets(stars)
        template = self._assigned[kind] if kind in self._assigned else self._default()
        from kick_clip_generator.learning.estimators import fitted_pipeline

        try:
            pipeline = fitted_pipeline(template, table(rows, names), wanted)
        except (TypeError, ValueError) as error:
            raise ModelError(f"The {kind} model could not be trained by {type(template).__name__}: {error}") from error
        self._fitted[kind] = _Fitted(pipeline, names)
        self._shown[kind] = pipeline.steps[-1][1]
        return self

    def _default(self) -> Estimator:
        if self.model_factory is not None:
            return self.model_factory()
        from kick_clip_generator.learning.estimators import default_regressor

        return default_regressor(self.n_estimators, self.learning_rate)

    def predict(self, kind: str, rows: Sequence[Mapping[str, float]]) -> NDArray[np.float64] | None:
        """How much the person who rated would like these clips.

        Args:
            kind: "audio" or "video".
            rows: feature rows; names that were not there when the model was fitted are ignored, names that were and are
                missing now count as unknown.

        Returns:
            0-1 for each row, shape `(len(rows),)`; 0 is one star and 1 is five. None when this kind is not fitted.
        """
        fitted = self._fitted.get(kind)
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
        model = cls(card["n_estimators"], card["learning_rate"])
        for kind, pipeline in skops_file.load(data).items():
            names = card["features"].get(kind, ())
            if kind not in KINDS or pipeline.n_features_in_ != len(names):
                raise ModelError("Its file and its card name different features.")
            model._fitted[kind] = _Fitted(pipeline, tuple(names))
            model._shown[kind] = pipeline.steps[-1][1]
        model.trained_until = card["trained_until"]
        model.card = card
        return model
