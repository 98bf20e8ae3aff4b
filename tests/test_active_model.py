"""The model that ranks is the file that was trained here, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import ConflictError, NotFoundError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.learning.files import card_path, model_path
from kick_clip_generator.learning.model import MLHighlightModel
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.models import activate_model, active_model


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_path=tmp_path / "clips.db", model_dir=tmp_path / "models")


@pytest.fixture
def kept(settings: Settings) -> Iterator[Library]:
    with Library.open(settings.database_path) as kept:
        yield kept


def trained(library: Library, settings: Settings, n: int, *, active: bool = False) -> None:
    rng = np.random.default_rng(n)
    rows = [{"rms_mean": float(rng.normal()), "motion_mean": float(rng.normal())} for _ in range(30)]
    model = MLHighlightModel(n_estimators=3, learner="boosting").fit("audio", rows, [1 + i % 5 for i in range(30)])
    path = model.save(settings.model_dir, n)
    sha256 = str(model.card["sha256"])
    library.record_model(n, path=path, sha256=sha256, samples=[], kinds=["audio"], metrics={}, active=active)


def put_in_its_place(settings: Settings, n: int, other: int) -> None:
    """Another model with a card that agrees, as somebody who can write to the folder would put it there."""
    model_path(settings.model_dir, n).write_bytes(model_path(settings.model_dir, other).read_bytes())
    card = card_path(settings.model_dir, other).read_text().replace(f'"number": {other}', f'"number": {n}')
    card_path(settings.model_dir, n).write_text(card)


def test_versions_are_switched(kept: Library, settings: Settings) -> None:
    trained(kept, settings, 1, active=True)
    trained(kept, settings, 2)
    assert active_model(kept, settings).number == 1
    activate_model(kept, settings, 2)
    assert active_model(kept, settings).number == 2
    activate_model(kept, settings, None)
    assert active_model(kept, settings).scorer is None
    with pytest.raises(NotFoundError):
        activate_model(kept, settings, 3)


def test_a_file_that_was_not_trained_here_does_not_rank(kept: Library, settings: Settings) -> None:
    trained(kept, settings, 1, active=True)
    trained(kept, settings, 2)
    put_in_its_place(settings, 1, 2)
    found = active_model(kept, settings)
    assert found.scorer is None and "not the file that was trained here" in found.notes[0]
    with pytest.raises(ConflictError, match="trained here"):
        activate_model(kept, settings, 1)


def test_a_file_that_is_gone_is_not_activated(kept: Library, settings: Settings) -> None:
    trained(kept, settings, 1)
    model_path(settings.model_dir, 1).unlink()
    with pytest.raises(ConflictError, match="Model 1 cannot be used"):
        activate_model(kept, settings, 1)
    assert kept.active_model() is None
