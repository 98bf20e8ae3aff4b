"""The doorbell on each of its queues: it wakes one, it forgets, and nobody else's message is unpacked."""

from __future__ import annotations

import pickle
import threading
import time
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.doorbell import MOST_MESSAGES, Doorbell, ring


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "redis":
        return Settings(queue_url=request.getfixturevalue("redis_url"))
    if request.param == "postgres":
        return Settings(database_url=request.getfixturevalue("postgres_url"))
    return Settings(database_path=tmp_path / "clips.db")


def test_it_wakes_who_waits_and_no_other_lane(settings: Settings) -> None:
    with Doorbell(settings, "secret") as bell, Doorbell(settings, "secret", "live") as live:
        assert not bell.wait(0.05)
        ring(settings, "secret", "analyze")
        assert bell.wait(5) and not bell.wait(0.05)
        ring(settings, "secret", "live")
        assert live.wait(5)
        late = threading.Timer(0.3, bell.ring)
        late.start()
        began_s = time.monotonic()
        assert bell.wait(30) and time.monotonic() - began_s < 15
        late.join()


def test_a_line_that_nobody_reads_does_not_grow(settings: Settings) -> None:
    with Doorbell(settings, "secret") as bell:
        for _ in range(3):
            bell.ring(MOST_MESSAGES)
        heard = 0
        while bell.wait(0.2):
            heard += 1
        assert heard == MOST_MESSAGES


class Harmful:
    """What unpacking it would do."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path, str]]:
        return Path.write_text, (self.target, "unpacked")


def test_a_message_that_we_did_not_sign_is_not_unpacked(settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "harmed"
    with Doorbell(settings, "secret") as bell, Doorbell(settings, "another secret") as stranger:
        bell._huey.storage.enqueue(pickle.dumps(Harmful(target)))
        stranger.ring()
        bell.ring()
        assert bell.wait(5), "the third one is ours"
        assert not bell.wait(0.1)
    assert not target.exists()


def test_a_queue_that_is_away_is_no_failure(tmp_path: Path) -> None:
    settings = Settings(queue_url="redis://127.0.0.1:1/0")
    ring(settings, "secret", "analyze")
    with Doorbell(settings, "secret") as bell:
        bell.ring()
        assert not bell.wait(0.2)
    with pytest.raises(InputError, match="amqp"):
        ring(Settings(queue_url="amqp://localhost"), "secret", "analyze")
