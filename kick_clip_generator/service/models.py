"""The learned judge that is in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library


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
    return ActiveModel(loaded.model, loaded.number, (loaded.note,) if loaded.note else ())
