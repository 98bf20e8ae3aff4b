"""The figures by which rankings are judged."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from kick_clip_generator.learning.figures import figures, mean_over, ndcg, spearman


def test_the_best_order_is_one_and_chance_is_zero() -> None:
    stars = [5, 1, 3, 1, 1, 4, 2, 1, 1, 1, 1, 2]
    assert ndcg(stars, stars) == pytest.approx(1.0)
    drawn = np.random.default_rng(0).random((4000, len(stars)))
    assert np.mean([ndcg(stars, scores) for scores in drawn]) == pytest.approx(0.0, abs=0.02)
    assert ndcg(stars, [-s for s in stars]) < 0


def test_equal_scores_are_worth_what_their_orders_are_worth_on_average() -> None:
    stars = [5, 1, 3]
    orders = [ndcg(stars, list(order)) for order in itertools.permutations([1.0, 2.0, 3.0])]
    assert ndcg(stars, [0.5, 0.5, 0.5]) == pytest.approx(float(np.mean(orders))) == pytest.approx(0.0, abs=1e-12)


def test_only_the_first_ten_count() -> None:
    stars = [5] + [1] * 30
    assert ndcg(stars, [-k for k in range(31)]) == pytest.approx(1.0)
    assert ndcg(stars, [-15] + [-k for k in range(30)]) == ndcg(stars, [-99] + [-k for k in range(30)])


@pytest.mark.parametrize("stars", [[], [3], [4, 4, 4]])
def test_where_every_order_is_as_good_nothing_is_known(stars: list[float]) -> None:
    assert math.isnan(ndcg(stars, list(range(len(stars)))))
    assert math.isnan(spearman(stars, list(range(len(stars)))))


def test_an_interval_holds_the_mean_and_is_narrow_where_streams_agree() -> None:
    rng = np.random.default_rng(1)
    wide, narrow = (mean_over(0.6 + spread * rng.normal(size=12)) for spread in (0.2, 0.02))
    assert wide.low < wide.value < wide.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 3
    assert mean_over(np.array([0.5, math.nan])).as_list() == [0.5, None, None]
    assert mean_over(np.array([])).as_list() == [None, None, None]


def test_clips_are_compared_within_their_group_only() -> None:
    found = figures(["a", "a", "b", "b"], [5, 1, 2, 4], np.array([0.9, 0.8, 0.1, 0.2]))
    assert found["pairwise"].tolist() == [1.0, 1.0]
