"""Stored features: whole, or measured again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.feature_cache import FeatureCache

KEY = "analyze:0123"


@pytest.fixture
def windows() -> dict[int, tuple[int, np.ndarray]]:
    random = np.random.default_rng(0)
    made = {n: (60 * n, random.standard_normal((50 + n, 4)).astype(np.float32)) for n in (3, 0, 7)}
    made[3][1][5] = np.nan
    made[9] = (540, np.empty((0, 4), np.float32))
    return made


def assert_same(one: dict[int, tuple[int, np.ndarray]], other: dict[int, tuple[int, np.ndarray]]) -> None:
    assert sorted(one) == sorted(other)
    for n, (first, rows) in one.items():
        assert other[n][0] == first
        np.testing.assert_array_equal(other[n][1], rows)


def test_what_is_stored_comes_back(tmp_path: Path, windows: dict[int, tuple[int, np.ndarray]]) -> None:
    cache = FeatureCache(tmp_path / "cache")
    assert cache.load(KEY, 4) == {}
    cache.save(KEY, windows)
    assert_same(windows, cache.load(KEY, 4))
    fewer = {0: windows[0]}
    cache.save(KEY, fewer)
    assert_same(fewer, cache.load(KEY, 4))
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".npz"]


def test_other_columns_and_other_keys_are_not_taken(tmp_path: Path, windows: dict[int, tuple[int, np.ndarray]]) -> None:
    cache = FeatureCache(tmp_path)
    cache.save(KEY, windows)
    assert cache.load(KEY, 5) == {}
    assert cache.load("analyze:4567", 4) == {}


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "pickle"])
def test_a_damaged_file_is_measured_again(
    tmp_path: Path, windows: dict[int, tuple[int, np.ndarray]], damage: str
) -> None:
    cache = FeatureCache(tmp_path)
    cache.save(KEY, windows)
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    if damage == "pickle":
        with path.open("wb") as file:
            np.savez(file, numbers=np.array([{"a": 1}], object), first_ticks=[0], stops=[1], values=[[1.0] * 4])
    else:
        path.write_bytes({"cut": data[: len(data) // 2], "text": b"hello", "empty": b""}[damage])
    assert cache.load(KEY, 4) == {}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, windows: dict[int, tuple[int, np.ndarray]]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError):
        FeatureCache(tmp_path / "file").save(KEY, windows)
