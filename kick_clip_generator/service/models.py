"""The learned judge that is in use."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kick_clip_generator.core.errors import ConflictError, NotFoundError
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library

if TYPE_CHECKING:
    from kick_clip_generator.learning.versions import Loaded

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The model in use.

    Attributes:
        scorer: None for the heuristic alone.
        number: its version.
        notes: sentences for the user, e.g. that an older version stands in for a damaged one.
    """

    scorer: Scorer | None = None
    number: int | None = None
    notes: Sequence[str] = ()


def active_model(library: Library, settings: Settings) -> ActiveModel:
    """Load the model that the library says is in use; without one, scikit-learn is not even imported."""
    version = library.active_model()
    if version is None:
        return ActiveModel()
    from kick_clip_generator.learning.versions import load_active

    loaded = load_active(settings.model_dir, version.n)
    if loaded.model is not None and not _is_recorded(library, loaded):
        log.warning("Model %s in %s is not the one that was recorded", loaded.number, settings.model_dir)
        note = (
            f"Model {loaded.number} is not the file that was trained here, so it is not used; train anew, or roll back."
        )
        return ActiveModel(notes=(note,))
    return ActiveModel(loaded.model, loaded.number, (loaded.note,) if loaded.note else ())


def activate_model(library: Library, settings: Settings, number: int | None) -> None:
    """Let a version rank from now on, once it was seen to load; None goes back to the heuristic alone.

    Raises:
        NotFoundError: when there is no such version.
        ConflictError: when its file is gone, damaged, or not the one that was recorded.
    """
    if number is not None:
        from kick_clip_generator.learning.errors import ModelError
        from kick_clip_generator.learning.model import MLHighlightModel
        from kick_clip_generator.learning.versions import Loaded

        if number not in {version.n for version in library.models()}:
            raise NotFoundError(f"There is no model {number} in the library; choose one that is listed.")
        try:
            model = MLHighlightModel.load(settings.model_dir, number)
        except ModelError as error:
            raise ConflictError(f"Model {number} cannot be used: {error}") from error
        if not _is_recorded(library, Loaded(model, number)):
            raise ConflictError(f"Model {number} is not the file that was trained here; choose another version.")
    library.activate(number)


def _is_recorded(library: Library, loaded: Loaded) -> bool:
    """Whether the file is the one whose digest the library knows; versions that it does not know were put there."""
    recorded = {version.n: version.sha256 for version in library.models()}
    return loaded.model is not None and recorded.get(loaded.number or 0) == str(loaded.model.card["sha256"])
