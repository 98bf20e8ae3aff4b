"""Jobs: how fast a recording is analysed by one, two, … workers, and what the engine itself costs.

    python -m bench jobs VIDEO [VIDEO …] [--workers 1,2] [--database-url URL] [--json FILE]

Each number of workers analyses all videos anew, in an empty library, until the last job is done. Beside it stands what
a job costs that does nothing: put in the line, claimed, held, ended.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.supervisor import Supervisor
from kick_clip_generator.library.library import Library
from kick_clip_generator.media.probe import probe
from kick_clip_generator.service.jobs import start_analysis
from kick_clip_generator.service.secrets import secret_key

EMPTY_JOBS = 200


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench jobs", description=__doc__.partition("\n")[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--workers", default="1,2", help="numbers of workers, separated by commas (default: 1,2)")
    parser.add_argument("--database-url", default="", help="an empty PostgreSQL database instead of SQLite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE, too")
    args = parser.parse_args(argv)
    stream_s = sum(probe(video).duration_s for video in args.videos)
    figures: dict[str, Any] = {"cores": os.cpu_count(), "stream_s": stream_s, "runs": []}
    _say(f"{len(args.videos)} recordings, {stream_s / 3600:.2f} h, {os.cpu_count()} cores")
    _say("workers   wall s   × real time   hours a day")
    for number in (int(part) for part in args.workers.split(",")):
        wall_s = analysed(args.videos, number, args.database_url)
        speed = stream_s / wall_s
        figures["runs"].append({"workers": number, "wall_s": wall_s, "speed": speed})
        _say(f"{number:7d} {wall_s:8.1f} {speed:13.0f} {24 * speed:13.0f}")
    figures["empty_job_s"] = empty_job_s(args.database_url)
    _say(f"a job that does nothing: {1000 * figures['empty_job_s']:.1f} ms")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def analysed(videos: list[Path], workers: int, database_url: str) -> float:
    """Wall seconds from the first job in the line to the end of the last."""
    with tempfile.TemporaryDirectory() as name:
        settings = _settings(Path(name), workers, database_url)
        with Library.open(settings.library_place) as library:
            supervisor = Supervisor(library, settings, secret_key(library, settings))
            supervisor.start()
            try:
                began_s = time.monotonic()
                # Of this run alone: a database may hold those of the run before.
                jobs = [
                    start_analysis(library, settings, None, {"make_clips": False}, url=str(video.absolute())).id
                    for video in videos
                ]
                while not all(library.job(job).ended for job in jobs):
                    time.sleep(0.2)
                wall_s = time.monotonic() - began_s
            finally:
                supervisor.stop()
            for job in map(library.job, jobs):
                if job.status != "done":
                    sys.exit(f"job {job.id}: {job.error}")
            return wall_s


def empty_job_s(database_url: str) -> float:
    with tempfile.TemporaryDirectory() as name:
        settings = _settings(Path(name), 1, database_url)
        with Library.open(settings.library_place) as library:
            began_s = time.monotonic()
            for _ in range(EMPTY_JOBS):
                library.enqueue("verify", {})
                ticket = library.claim("bench:1:00000000-1", ["verify"])
                assert ticket is not None
                library.heartbeat(ticket)
                library.finish_job(ticket, "done")
            return (time.monotonic() - began_s) / EMPTY_JOBS


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _settings(folder: Path, workers: int, database_url: str) -> Settings:
    return Settings(
        database_path=folder / "clips.db",
        database_url=database_url,
        output_dir=folder / "clips",
        model_dir=folder / "models",
        temp_dir=folder / "temp",
        feature_dir=folder / "features",
        download_dir=folder / "downloads",
        log_dir=folder / "logs",
        workers=workers,
    )
