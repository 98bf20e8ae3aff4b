"""What is asked next: good clips, doubtful ones, ones of every kind, and some that would not have been shown."""

from __future__ import annotations

import numpy as np
import pytest

from kick_clip_generator.core.clip_row import HEURISTIC
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.learning.dataset import table
from kick_clip_generator.learning.queries import STRATEGIES, Beliefs, choose, promising, turn, unsure

NAMES = (HEURISTIC, "motion_mean", "rms_mean")


def beliefs(points: list[tuple[float, float, float]], groups: list[str] | None = None) -> Beliefs:
    """Of clips by heuristic score, motion and loudness."""
    rows = [dict(zip(NAMES, point, strict=True)) for point in points]
    return Beliefs.before(table(rows, NAMES), NAMES, groups or [""] * len(rows))


def spread(count: int, *, seed: int = 1) -> list[tuple[float, float, float]]:
    rng = np.random.default_rng(seed)
    return [(float(rng.random()), float(rng.normal()), float(rng.normal())) for _ in range(count)]


def test_before_any_rating_the_heuristic_decides() -> None:
    points = spread(30)
    chosen = choose(beliefs(points), range(30), 3, mix={"best": 1.0})
    assert chosen == sorted(range(30), key=lambda i: -points[i][0])[:3]


def test_nothing_is_asked_twice_and_all_are_asked_in_the_end() -> None:
    for mix in ({"promising": 1.0}, {"hidden": 1.0}, Settings().ask_mix):
        assert sorted(choose(beliefs(spread(12)), range(2, 12), 99, mix=mix)) == list(range(2, 12))
    assert choose(beliefs(spread(12)), [], 5, mix={"best": 1.0}) == []


def test_five_questions_are_not_about_five_clips_that_are_nearly_the_same() -> None:
    twins = [(0.9, 3.0 + 0.01 * k, 3.0) for k in range(6)]
    others = [(0.8, -3.0, 0.0), (0.8, 0.0, -3.0), (0.8, -3.0, -3.0)]
    asked = choose(beliefs(twins + others), range(9), 4, mix={"promising": 1.0})
    assert len([index for index in asked if index < 6]) < 4
    assert len({min(index, 5) if index < 6 else index for index in asked}) == len(asked) or set(asked) & {6, 7, 8}


def test_an_answer_tells_of_the_clip_and_of_those_like_it() -> None:
    before = beliefs([(0.5, 2.0, 2.0), (0.5, 2.1, 2.0), (0.5, -2.0, -2.0), (0.4, 0.0, 0.0)])
    after = before.rated([0], np.array([1.0]))
    moved = after.mean - before.mean
    assert moved[0] > moved[1] > moved[2] > 0
    shrunk = before.doubt - after.doubt
    assert shrunk[0] > shrunk[2] > 0
    assert (after.asked, before.asked) == ({"": 1}, {})


def test_answers_one_by_one_say_the_same_as_all_at_once() -> None:
    wanted = np.random.default_rng(0).random(6)
    at_once = beliefs(spread(20)).rated(range(6), wanted)
    one_by_one = beliefs(spread(20))
    for index in range(6):
        one_by_one = one_by_one.rated([index], wanted[[index]])
    assert one_by_one.mean == pytest.approx(at_once.mean)
    assert one_by_one.covariance == pytest.approx(at_once.covariance)


def test_a_kind_that_was_never_asked_about_comes_first_where_clips_are_equal() -> None:
    same = beliefs([(0.5, 0.0, 0.0)] * 4 + [(0.1, 1.0, 1.0)], ["talk", "talk", "talk", "game", "talk"])
    for strategy in (promising, unsure):
        assert int(np.argmax(strategy(same.rated([0, 1], np.array([0.5, 0.5])))[:4])) == 3


def test_hidden_asks_what_would_not_have_been_shown_while_there_is_any() -> None:
    chosen = choose(beliefs([(0.9, 0.0, 0.0), (0.01, 1.0, 1.0), (0.02, -1.0, 0.0)]), range(3), 3, mix={"hidden": 1.0})
    assert set(chosen[:2]) == {1, 2} and chosen[2] == 0


def test_turns_follow_the_shares_at_any_time() -> None:
    mix = {"best": 0.3, "promising": 0.6, "unsure": 0.0, "hidden": 0.1}
    for count in (10, 20, 50, 500):
        turns = [turn(mix, number) for number in range(count)]
        for name, share in mix.items():
            assert turns.count(STRATEGIES[name]) == pytest.approx(share * count, abs=2)


@pytest.mark.parametrize("mix", [{}, {"best": 0.0}, {"best": -1.0, "unsure": 2.0}, {"guess": 1.0}])
def test_a_mix_of_nothing_or_of_strangers_is_refused(mix: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected shares of best, promising, unsure, hidden"):
        turn(mix, 0)
