"""The benchmark of learning: candidates, people, and what counts as shared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.judging import Label, Labels
from bench.learning import FEWEST_CANDIDATES, PARTS, POINTS, People, Pool, _Runs, candidates
from kick_clip_generator.core.clip_row import HEURISTIC
from kick_clip_generator.core.records import Span
from tests.test_highlights_detect import excite, noise

TASTE = {"loud": 5.0, "quiet": 4.0, "distractor": 1.0, "calm": 1.0}


def pool(name: str, seed: int, recording: str) -> Pool:
    """Twelve candidates, a third of them loud; the heuristic knows nothing."""
    rng = np.random.default_rng(seed)
    kinds = ["loud" if k % 3 == 0 else "calm" for k in range(12)]
    rows = [
        {HEURISTIC: float(rng.random()), "rms_mean": 3.0 * (kind == "loud") + float(rng.normal()) / 4} for kind in kinds
    ]
    sources = frozenset({recording})
    return Pool(name, tuple(rows), tuple(kinds), tuple(sources if k == "loud" else frozenset() for k in kinds), sources)


def test_ratings_raise_the_curve_unless_what_they_tell_is_left_out() -> None:
    pools = [pool(str(n), n, "the same cheer") for n in range(4)]
    runs = _Runs(pools, People({"noise": TASTE}, 0.0), 2, "auto", None)
    whole, apart = (runs.curves[part] for part in PARTS)
    at_20 = POINTS.index(20)
    assert (whole["heuristic"] == whole["ours"][0]).all()
    for query in ("random", "top", "ours"):
        assert whole[query][at_20].mean() > whole["heuristic"][at_20].mean() + 0.2
    # Loud moments are in no stream but with that recording, so what is left was all rated alike.
    assert (apart["ours"][at_20] == apart["heuristic"][at_20]).all()
    assert runs.noisy.mean() == pytest.approx(1.0)


def test_candidates_are_moments_weak_ones_too_and_at_least_fifty(tmp_path: Path) -> None:
    event = Span(300.0, 310.0)
    labels = Labels(
        "one", tmp_path, (Label(event, "loud", frozenset({"a"})),), (Label(Span(350, 430), "drill", frozenset({"b"})),)
    )
    found = candidates(labels, excite(noise(900), event, 6.0))
    assert len(found.rows) >= FEWEST_CANDIDATES
    best = max(range(len(found.rows)), key=lambda i: found.rows[i][HEURISTIC])
    assert (found.kinds[best], found.sources[best]) == ("loud", {"a"})
    assert set(found.kinds) >= {"loud", "calm", "distractor"}
    assert found.all_sources == {"a", "b"}


def test_people_are_off_by_one_star_as_often_as_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "tastes.json"
    file.write_text(json.dumps({"noise": 0.15, "tastes": {"all": {"loud": 3, "calm": 1}}}))
    people = People.read(file)
    thought = people.thought("all", ["loud"] * 4000)
    said = people.said(thought, np.random.default_rng(0))
    assert set(np.unique(said)) == {2.0, 3.0, 4.0}
    assert np.mean(said != thought) == pytest.approx(0.15, abs=0.02)
    with pytest.raises(ValueError, match="says nothing of quiet"):
        people.thought("all", ["quiet"])
    file.write_text("{}")
    with pytest.raises(ValueError, match="no file of tastes"):
        People.read(file)
