"""When a request is tried again, and when it is given up."""

from __future__ import annotations

import pytest

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.answers import HttpError, retry_after_s
from kick_clip_generator.sources.net.patience import FIRST_WAIT_S, MAX_WAIT_S, PROGRESS_BYTES, Patience


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("٣", 0.0),
        ("9" * 30, 0.0),
        ("Mon, 99 Nov 99999 99:99:99 GMT", 0.0),
        (None, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float) -> None:
    noon_s = 1795262400.0
    assert retry_after_s(value, noon_s) == seconds


def _failure(outcome: str, *, retryable: bool = True, wait_s: float = 0.0, received: int = 0) -> HttpError:
    return HttpError("x.", outcome=outcome, retryable=retryable, retry_after_s=wait_s, received=bytes(received))


def _waits(patience: Patience, *failures: HttpError, known: bool = True) -> list[float | None]:
    return [patience.wait_s(failure, known=known) for failure in failures]


def test_waits_grow_from_a_short_one_and_end() -> None:
    waits = _waits(Patience(Settings(max_retries=4), agents=3), *[_failure("server")] * 5)  # type: ignore[call-arg]
    assert waits.pop() is None
    for n, wait_s in enumerate(waits):
        assert wait_s is not None and 0.5 * FIRST_WAIT_S * 2**n <= wait_s <= FIRST_WAIT_S * 2**n


def test_what_the_server_asks_for_is_waited_within_reason() -> None:
    patience = Patience(Settings(), agents=3)
    assert _waits(patience, _failure("rate_limited", wait_s=20), _failure("server", wait_s=9e9)) == [20, MAX_WAIT_S]


def test_what_will_not_change_is_not_tried_again() -> None:
    assert _waits(Patience(Settings(), agents=3), _failure("not_found", retryable=False)) == [None]


def test_a_refusal_after_other_failures_is_still_tried_as_other_browsers() -> None:
    patience = Patience(Settings(), agents=2)
    waits = _waits(patience, _failure("server"), _failure("truncated"), _failure("blocked"), _failure("blocked"))
    assert None not in waits
    assert _waits(patience, _failure("blocked")) == [None]


def test_a_stranger_who_does_not_answer_is_left_soon() -> None:
    for known, waits in ((False, 1), (True, Settings().max_retries)):
        patience = Patience(Settings(), agents=3)
        tried = _waits(patience, *[_failure("unreachable")] * 10, known=known)
        assert sum(wait is not None for wait in tried) == waits


def test_a_range_that_gets_on_is_not_given_up() -> None:
    patience = Patience(Settings(max_retries=1), agents=3)  # type: ignore[call-arg]
    assert None not in _waits(patience, *[_failure("truncated", received=PROGRESS_BYTES)] * 20)
    assert _waits(patience, _failure("truncated", received=10)) == [None]
