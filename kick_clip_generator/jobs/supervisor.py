"""Workers as processes: started, restarted when they die, told to end. Several single-threaded ones, so that a kill for
memory takes one job; `live` has one of its own, so that a stream that runs for hours never blocks an only worker.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kick_clip_generator
from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.doorbell import LANES, Doorbell, Lane, lane_of
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import KINDS

log = logging.getLogger(__name__)

# What a worker runs; it lies above this floor, because it knows all kinds of jobs.
WORKER_MODULE = "kick_clip_generator.service.worker"

LOOK_EVERY_S = 0.5
RECOVER_EVERY_S = 3.0
PERIODIC_EVERY_S = 300.0
# A worker that dies as soon as it starts is not started again at once.
SHORT_LIFE_S = 5.0
LONGEST_REST_S = 60.0

Periodic = Callable[[Library, Settings], None]


@dataclass
class _Slot:
    lane: Lane
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    rest_s: float = 0.0
    start_at_s: float = 0.0


class Supervisor:
    """Keeps the workers of this machine alive.

    Args:
        library: open; used from a thread of its own.
        settings: `workers` processes for jobs, and one for live streams; with 0 there are none, but what dead workers
            of other machines held is put back.
        secret: signs the messages of the queue.
        finish_s: how long a worker that is told to end may go on to its next checkpoint.
        periodic: called now and then; enqueues what is to be done every day.
    """

    def __init__(
        self,
        library: Library,
        settings: Settings,
        secret: str,
        *,
        finish_s: float = 1.0,
        periodic: Periodic | None = None,
    ) -> None:
        self._library = library
        self._settings = settings
        self._secret = secret
        self._finish_s = finish_s
        self._periodic = periodic
        self._slots = [_Slot("work") for _ in range(settings.workers)] + [_Slot("live")] * bool(settings.workers)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the workers; they are watched until `stop`."""
        self._thread.start()

    def stop(self, grace_s: float = 1.5) -> None:
        """Tell the workers to end, and kill those that have not after `grace_s`; the next ones go on."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        for slot in self._slots:
            if slot.process is not None and slot.process.poll() is None:
                slot.process.terminate()
        end_s = time.monotonic() + grace_s
        for slot in self._slots:
            if slot.process is None:
                continue
            with suppress(subprocess.TimeoutExpired):
                slot.process.wait(max(0.0, end_s - time.monotonic()))
            _kill_group(slot.process)
            slot.process.wait()
            if slot.process.stdin is not None:
                slot.process.stdin.close()

    @property
    def pids(self) -> list[int]:
        """Of the workers that live."""
        return [slot.process.pid for slot in self._slots if slot.process is not None and slot.process.poll() is None]

    def _watch(self) -> None:
        recovered_s = periodic_s = -PERIODIC_EVERY_S
        while True:
            for slot in self._slots:
                _guarded("A worker could not be started", self._tend, slot)
            now_s = time.monotonic()
            if now_s - recovered_s >= RECOVER_EVERY_S:
                recovered_s = now_s
                _guarded("Jobs of dead workers could not be looked for", self._recover)
            if self._periodic is not None and now_s - periodic_s >= PERIODIC_EVERY_S:
                periodic_s = now_s
                _guarded("The daily jobs could not be put in the line", self._periodic, self._library, self._settings)
            if self._stopped.wait(LOOK_EVERY_S):
                return

    def _tend(self, slot: _Slot) -> None:
        now_s = time.monotonic()
        if slot.process is not None:
            code = slot.process.poll()
            if code is None:
                return
            # What it had started must not go on without it.
            _kill_group(slot.process)
            if slot.process.stdin is not None:
                slot.process.stdin.close()
            log.warning("A worker (process %d) ended with %d; another one is started", slot.process.pid, code)
            short = now_s - slot.started_s < SHORT_LIFE_S
            slot.rest_s = min(max(2 * slot.rest_s, 0.5), LONGEST_REST_S) if short else 0.0
            slot.start_at_s = now_s + slot.rest_s
            slot.process = None
        if now_s >= slot.start_at_s:
            slot.process = start_worker(self._settings, self._secret, slot.lane, self._finish_s)
            slot.started_s = now_s

    def _recover(self) -> None:
        """Put back what dead workers held, and ring for what is due: a message may have been lost."""
        self._library.recover()
        for lane in LANES:
            due = self._library.due([kind for kind in KINDS if lane_of(kind) == lane])
            if due:
                with Doorbell(self._settings, self._secret, lane) as bell:
                    bell.ring(due)


def _guarded(failed: str, step: Callable[..., None], *arguments: Any) -> None:
    """Whatever goes wrong once, the workers are watched on."""
    try:
        step(*arguments)
    except ClipGeneratorError as error:
        log.warning("%s: %s", failed, error)
    except Exception:
        log.warning("%s", failed, exc_info=True)


def start_worker(settings: Settings, secret: str, lane: Lane, finish_s: float) -> subprocess.Popen[bytes]:
    """Start a worker of its own process group.

    Settings and secret go through its standard input, where nobody sees them, and whose end tells it that its
    supervisor is gone.
    """
    root = Path(kick_clip_generator.__file__).parents[1]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    process = subprocess.Popen(
        [sys.executable, "-m", WORKER_MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        **group,
    )
    about = {"settings": settings.model_dump(mode="json"), "secret": secret, "lane": lane, "finish_s": finish_s}
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it died; the next look sees that
        process.stdin.write(json.dumps(about).encode() + b"\n")
        process.stdin.flush()
    return process


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
