"""A worker for the tests: the real one, with jobs that record twenty windows and say so in a file."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.doorbell import Doorbell
from kick_clip_generator.jobs.job import Job
from kick_clip_generator.jobs.worker import Worker
from kick_clip_generator.library.library import Library
from kick_clip_generator.media.ffmpeg import spawn

WINDOWS = 20


def record_windows(told: Path, pause_s: float):  # type: ignore[no-untyped-def]
    def run(job: Job) -> dict[str, int]:
        if job.info.payload.get("hangs"):
            # As a library that never comes back, in the middle of work for a program.
            child = spawn([sys.executable, "-c", "import time; time.sleep(600)"])
            told.write_text(str(child.pid))
            time.sleep(600)
        known = job.library.windows(job.ticket.id)
        for n in range(WINDOWS):
            if n in known:
                continue
            time.sleep(pause_s)
            job.library.record_window(job.ticket, n, "done", n * 10, b"x" * 100, {"by": os.getpid()})
            with told.open("a") as file:
                file.write(f"{job.ticket.id} {n}\n")
            job.checkpoint()
        return {"windows": WINDOWS}

    return run


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    logging.basicConfig(filename=orders["log"], level="INFO", format="%(asctime)s %(process)d %(message)s")
    settings = Settings(**orders["settings"])
    with (
        Library.open(settings.database_url or settings.database_path) as library,
        Doorbell(settings, "secret") as bell,
    ):
        run = record_windows(Path(orders["told"]), orders["pause_s"])
        worker = Worker(library, settings, bell, {"backup": run, "verify": run}, kinds=["verify"], finish_s=5)
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        print("ready", flush=True)
        worker.run()


if __name__ == "__main__":
    main()
