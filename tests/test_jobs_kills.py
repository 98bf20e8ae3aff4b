"""Workers are killed, servers restarted: no job is lost, and every window is recorded exactly once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import PostgresServer

import kick_clip_generator
from kick_clip_generator.core.errors import UnavailableError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.doorbell import ring
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import JobQuery

pytestmark = pytest.mark.slow

JOBS, WINDOWS, KILLS, WORKERS = 20, 20, 12, 3
PATIENCE_S = 150.0


class Crowd:
    """Worker processes, of which those that were killed are replaced."""

    def __init__(self, settings: Settings, folder: Path, *, pause_s: float) -> None:
        self.told = folder / "told.txt"
        self._orders = {
            "settings": settings.model_dump(mode="json", include={"database_path", "database_url", "queue_url"}),
            "told": str(self.told),
            "log": str(folder / "workers.log"),
            "pause_s": pause_s,
        }
        self.processes: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        root = Path(kick_clip_generator.__file__).parents[1]
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("killed_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(self._orders) + "\n")
        process.stdin.flush()
        self.processes.append(process)

    def wait_ready(self) -> None:
        for process in self.processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"

    def kill_one(self, chance: random.Random) -> None:
        process = self.processes.pop(chance.randrange(len(self.processes)))
        process.kill()
        process.communicate()
        self.start()

    def end(self) -> list[int]:
        for process in self.processes:
            process.terminate()
        return [process.wait(30) for process in self.processes]


@pytest.fixture(params=["sqlite", "postgres", "redis and postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    changes: dict[str, Any] = {"database_path": tmp_path / "clips.db"}
    if "postgres" in request.param:
        changes["database_url"] = request.getfixturevalue("postgres_url")
    if "redis" in request.param:
        changes["queue_url"] = request.getfixturevalue("redis_url")
    return Settings(**changes)


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    with Library.open(settings.database_url or settings.database_path) as opened:
        yield opened


def enqueue(library: Library, settings: Settings) -> list[int]:
    jobs = [library.enqueue("verify", {}, max_attempts=5).id for _ in range(JOBS)]
    ring(settings, "secret", "verify", WORKERS)
    return jobs


def check_all_done(library: Library, jobs: list[int], told: Path) -> None:
    assert {library.job(job).status for job in jobs} == {"done"}
    assert [sorted(library.windows(job)) for job in jobs] == [list(range(WINDOWS))] * JOBS
    # A kill between the transaction and the line in the file takes the line.
    lines = Counter(told.read_text().splitlines())
    assert set(lines.values()) == {1}
    assert JOBS * WINDOWS - KILLS <= len(lines) <= JOBS * WINDOWS


def finished(library: Library) -> int:
    try:
        return len(library.jobs(JobQuery(status="done", limit=100)).items)
    except UnavailableError:
        return 0


def test_twelve_kills_lose_nothing(library: Library, settings: Settings, tmp_path: Path) -> None:
    jobs, chance = enqueue(library, settings), random.Random(7)
    crowd = Crowd(settings, tmp_path, pause_s=0.04)
    for _ in range(WORKERS):
        crowd.start()
    try:
        crowd.wait_ready()
        end_s = time.monotonic() + PATIENCE_S
        kills = 0
        while finished(library) < JOBS:
            assert time.monotonic() < end_s, [library.job(job) for job in jobs]
            # So that the kills are spread over the work, whatever the speed of the machine.
            recorded = len(crowd.told.read_text().splitlines()) if crowd.told.exists() else 0
            if kills < KILLS and recorded > (kills + 1) * JOBS * WINDOWS / (KILLS + 2):
                crowd.kill_one(chance)
                kills += 1
            time.sleep(0.02)
        assert kills == KILLS
    finally:
        codes = crowd.end()
    check_all_done(library, jobs, crowd.told)
    assert set(codes) <= {0, -signal.SIGTERM}, "one that had only begun knows no signals yet"


def test_a_database_that_crashes_loses_nothing(own_postgres: PostgresServer, tmp_path: Path) -> None:
    settings = Settings(database_path=tmp_path / "clips.db", database_url=own_postgres.new_database())
    with Library.open(settings.database_url) as library:
        jobs = enqueue(library, settings)
        crowd = Crowd(settings, tmp_path, pause_s=0.02)
        for _ in range(WORKERS):
            crowd.start()
        try:
            crowd.wait_ready()
            end_s = time.monotonic() + PATIENCE_S
            restarts = 0
            while finished(library) < JOBS:
                assert time.monotonic() < end_s
                recorded = len(crowd.told.read_text().splitlines()) if crowd.told.exists() else 0
                if restarts < 2 and recorded > (restarts + 1) * 100:
                    own_postgres.restart()
                    restarts += 1
                time.sleep(0.05)
            assert restarts == 2
        finally:
            codes = crowd.end()
        check_all_done(library, jobs, crowd.told)
        assert set(codes) <= {0, -signal.SIGTERM}, "one that had only begun knows no signals yet"


def test_a_job_that_hangs_is_killed_when_it_is_cancelled(tmp_path: Path) -> None:
    settings = Settings(database_path=tmp_path / "clips.db")
    with Library.open(settings.database_path) as library:
        job = library.enqueue("verify", {"hangs": True})
        crowd = Crowd(settings, tmp_path, pause_s=0.0)
        crowd.start()
        crowd.wait_ready()
        wait_until(lambda: crowd.told.exists() and crowd.told.read_text().isdigit())
        asked_at = library.request_cancel(job.id).updated_at
        wait_until(lambda: library.job(job.id).ended)
        done = library.job(job.id)
        assert done.status == "cancelled" and done.ended_at is not None and done.ended_at - asked_at < 5.0
        (process,) = crowd.processes
        assert process.wait(10) != 0
        child = int(crowd.told.read_text())
        wait_until(lambda: not Path(f"/proc/{child}").exists())
        # The next worker finds nothing left of it.
        crowd.processes.clear()
        other = library.enqueue("verify", {})
        crowd.start()
        crowd.wait_ready()
        wait_until(lambda: library.job(other.id).status == "done")
        assert crowd.end() == [0]


def wait_until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(0.05)
