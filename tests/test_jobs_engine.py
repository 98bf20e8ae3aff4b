"""The engine whole: workers as processes do jobs, are killed, cancelled, restarted; nothing is lost or done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from origin import Origin, make_hls
from streams import make_stream

import kick_clip_generator
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.supervisor import Supervisor
from kick_clip_generator.library.feature_cache import FeatureCache
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import MEASURE, JobInfo, JobQuery
from kick_clip_generator.service.jobs import cancel_job, start, start_analysis
from kick_clip_generator.service.secrets import secret_key

pytestmark = pytest.mark.slow

# Batches of 20 windows that own 5 s each.
DURATION_S = 230.0
EVENTS = ((40.0, 48.0), (120.0, 128.0), (190.0, 199.0))


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stream(tmp_path_factory.mktemp("stream") / "match.mp4", duration_s=DURATION_S, events=EVENTS)


def settings_in(folder: Path, **changes: object) -> Settings:
    return Settings(
        database_path=folder / "clips.db",
        output_dir=folder / "output_clips",
        model_dir=folder / "models",
        temp_dir=folder / "temp_chunks",
        feature_dir=folder / "feature_cache",
        download_dir=folder / "downloads",
        log_dir=folder / "logs",
        chunk_duration=10,
        chunk_overlap=5,
        **changes,
    )


@contextmanager
def working(settings: Settings) -> Iterator[tuple[Library, Supervisor]]:
    """Workers on a library."""
    with Library.open(settings.database_path) as library:
        supervisor = Supervisor(library, settings, secret_key(library, settings))
        supervisor.start()
        try:
            yield library, supervisor
        finally:
            supervisor.stop()


def wait_until(holds: Callable[[], bool], *, timeout_s: float = 120.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(0.1)


def ended(library: Library, job: JobInfo) -> JobInfo:
    wait_until(lambda: library.job(job.id).ended)
    return library.job(job.id)


def features(settings: Settings, library: Library) -> dict[int, tuple[int, np.ndarray]]:
    (row,) = library.jobs(JobQuery(kind=MEASURE)).items
    from kick_clip_generator.features.registry import NAMES

    return FeatureCache(settings.feature_dir).load(row.idem_key, len(NAMES))


def test_two_workers_give_what_one_process_gives(stream: Path, tmp_path: Path) -> None:
    from kick_clip_generator.service.generate import GenerateRequest, generate_highlights

    alone = settings_in(tmp_path / "alone")
    with Library.open(alone.database_path) as library:
        request = GenerateRequest.checked(url=str(stream), settings=alone)
        expected = generate_highlights(request, library=library, settings=alone)
        expected_features = features(alone, library)
    together = settings_in(tmp_path / "together", workers=2)
    with working(together) as (library, _):
        project = library.add_project(str(stream))
        job = start_analysis(library, together, project.id)
        wait_until(lambda: library.job(job.id).status == "waiting" or library.job(job.id).ended)
        parts = library.jobs(JobQuery(parent_id=job.id, kind="measure_batch")).items
        assert len(parts) == 3
        done = ended(library, job)
        assert done.status == "done", done.error
        assert len(done.result["clips"]) == len(expected.clips) > 0
        clips = [library.clip(n) for n in done.result["clips"]]
        assert [clip.span for clip in clips] == [clip.highlight.clip for clip in expected.clips]
        assert library.project(project.id).source_id == clips[0].source_id
        assert library.jobs(JobQuery(parent_id=job.id)).items == ()
        found = features(together, library)
    assert found.keys() == expected_features.keys() and len(found) == 45
    for n, (first_tick, rows) in expected_features.items():
        assert found[n][0] == first_tick
        np.testing.assert_array_equal(found[n][1], rows)


def test_a_worker_that_is_killed_costs_nothing_that_was_recorded(stream: Path, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, workers=1)
    with working(settings) as (library, supervisor):
        project = library.add_project(str(stream))
        job = start_analysis(library, settings, project.id, {"make_clips": False})

        def recorded() -> int:
            parts = library.jobs(JobQuery(parent_id=job.id, kind="measure_batch")).items
            return sum(len(library.windows(part.id)) for part in parts)

        killed: set[int] = set()
        for least in (3, 24):
            wait_until(lambda least=least: recorded() >= least or library.job(job.id).ended)
            for pid in supervisor.pids:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            wait_until(lambda: len(supervisor.pids) == 2 and not killed & set(supervisor.pids))
        done = ended(library, job)
        assert done.status == "done", done.error
        assert len(features(settings, library)) == 45


def living(*, parent: int | None = None, pid: int | None = None) -> list[int]:
    """Processes that are not dead, by their parent or their own number."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        number = int(stat.parent.name)
        if (parent in (None, int(fields[1])) and pid in (None, number)) and fields[0] not in (b"Z", b"X"):
            found.append(number)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_cancel_ends_a_job_and_its_processes_within_five_seconds(stream: Path, tmp_path: Path) -> None:
    """The stream comes so slowly that the job is in the middle of waiting."""
    make_hls(tmp_path / "site" / "hls", stream, "mpegts", renditions=["160p"])
    with Origin(tmp_path / "site") as origin:
        for n in range(2, 120):
            origin.slow(f"/hls/160p_{n:03d}.ts", 30.0)
        settings = settings_in(tmp_path, workers=1, allowed_private_hosts="127.0.0.1", request_timeout=60)
        with working(settings) as (library, supervisor):
            project = library.add_project(origin.url("/hls/master.m3u8"))
            job = start_analysis(library, settings, project.id)
            parts = JobQuery(parent_id=job.id, kind="measure_batch", status="running")
            wait_until(lambda: bool(library.jobs(parts).items))
            (part,) = library.jobs(parts).items
            worker = int(str(part.owner).split(":")[1])
            assert worker in supervisor.pids
            wait_until(lambda: bool(living(parent=worker)))
            decoders = living(parent=worker)
            cancel_job(library, job.id)
            asked_at = library.job(part.id).updated_at
            ended_at = ended(library, part).ended_at
            assert ended_at is not None and ended_at - asked_at < 5.0
            assert {library.job(job.id).status, library.job(part.id).status} == {"cancelled"}
            assert not any(living(pid=decoder) for decoder in decoders)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_server_that_is_killed_leaves_workers_that_finish_the_job(stream: Path, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(kick_clip_generator.__file__).parents[1]),
        **{name.upper(): str(getattr(settings, name)) for name in settings.model_fields_set},
    }
    with Library.open(settings.database_path) as library:
        project = library.add_project(str(stream))
        job = start_analysis(library, settings, project.id)
        main = Path(kick_clip_generator.__file__).parents[1] / "main.py"
        server = subprocess.Popen([sys.executable, main, "worker", "-q"], env=environment, start_new_session=True)
        try:
            wait_until(lambda: library.job(job.id).status != "queued")
        finally:
            server.kill()
            server.wait()
        workers = [int(str(one.owner).split(":")[1]) for one in library.jobs(JobQuery(status="running")).items]
        done = ended(library, job)
        assert done.status == "done", done.error
        # Nothing is left to do, so they end by themselves.
        wait_until(lambda: not any(living(pid=pid) for pid in workers), timeout_s=30)


def test_a_job_that_cannot_be_done_says_why(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, workers=1)
    with working(settings) as (library, _):
        missing = start(library, settings, "analyze", {"url": str(tmp_path / "missing.mp4")})
        wrong = library.enqueue("export", {"clip_ids": "all"})
        for job in (missing, wrong):
            failed = ended(library, job)
            assert failed.status == "failed" and failed.error and failed.error_detail
        assert "missing.mp4" in str(library.job(missing.id).error)
        assert "clip_ids" in str(library.job(wrong.id).error)
        trained = ended(library, start(library, settings, "retrain", {}))
        assert trained.status == "done" and trained.result["promoted"] is False
