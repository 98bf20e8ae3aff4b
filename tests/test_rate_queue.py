"""The Rate queue: what is asked next, from which clips, and what old rows of the library lack."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from library_facts import a_clip, a_source

from kick_clip_generator.core.clip_row import HEURISTIC
from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.core.settings import Settings, load_settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.rating import next_to_rate, rate, to_rate


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "clips.db") as library:
        yield library


@pytest.fixture
def clips(library: Library, tmp_path: Path) -> list[int]:
    """Eight clips of one stream, the first the best; the rows say what the heuristic made of them."""
    source_id = library.record_source(a_source())
    found = []
    for number in range(8):
        clip = a_clip(source_id, tmp_path / f"{number}.mp4", start_s=100.0 * number + 10, score=0.9 - number / 10)
        row = {HEURISTIC: 0.9 - number / 10, "rms_mean": float(number % 4), "motion_mean": 1.0}
        found.append(library.record_clip(dataclasses.replace(clip, row=row)))
    return found


def test_the_queue_begins_with_what_is_thought_best(library: Library, clips: list[int]) -> None:
    only_best = Settings(ask_best=1.0, ask_promising=0.0, ask_hidden=0.0)
    assert [clip.id for clip in to_rate(library, only_best, 3)] == clips[:3]
    assert [clip.id for clip in to_rate(library, only_best, 2, besides=clips[:1])] == clips[1:3]


def test_nobody_is_asked_about_a_clip_that_was_rated_or_skipped(library: Library, clips: list[int]) -> None:
    settings = Settings(min_training_samples=100)
    rate(library, settings, clips[0], 5)
    rate(library, settings, clips[1], None)
    assert {clip.id for clip in to_rate(library, settings, 99)} == set(clips[2:])
    for clip in to_rate(library, settings, 99):
        rate(library, settings, clip.id, 3)
    assert next_to_rate(library, settings) is None


def test_stars_move_what_is_asked_next(library: Library, clips: list[int]) -> None:
    settings = Settings(min_training_samples=100, ask_best=1.0, ask_promising=0.0, ask_hidden=0.0)
    for clip_id in clips[:4]:
        rate(library, settings, clip_id, 5 if clip_id == clips[3] else 1)
    # The last of the others has the loudness of the one that was liked.
    following = next_to_rate(library, settings)
    assert following is not None and following.id == clips[7]


def test_rows_of_older_versions_are_told_what_the_heuristic_made_of_the_clip(library: Library, tmp_path: Path) -> None:
    source_id = library.record_source(a_source())
    number = library.record_clip(a_clip(source_id, tmp_path / "old.mp4", score=0.7))
    assert library.unrated(5)[0].row[HEURISTIC] == 0.7
    library.rate(number, 4, None)
    assert library.training_samples()[0].row[HEURISTIC] == 0.7


def test_shares_of_nothing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASK_BEST", "ASK_PROMISING", "ASK_UNSURE", "ASK_HIDDEN"):
        monkeypatch.setenv(name, "0")
    with pytest.raises(ClipGeneratorError, match="should not all be 0"):
        load_settings()


@pytest.mark.parametrize(("weight", "share"), [("auto", None), ("0.4", 0.4), ("0", 0.0)])
def test_the_share_of_the_learned_score(weight: str, share: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ML_WEIGHT", weight)
    assert load_settings().learned_share == (None if share is None else pytest.approx(share))
