"""A worker process: reads its orders from standard input, then does jobs until it is told to end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.core.logs import set_up_logging
from kick_clip_generator.core.memory import settle_memory
from kick_clip_generator.core.settings import Settings, with_changes
from kick_clip_generator.jobs.doorbell import Doorbell, Lane, lane_of
from kick_clip_generator.jobs.worker import Worker
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import KINDS
from kick_clip_generator.service.kinds import handler

log = logging.getLogger(__name__)


def main() -> int:
    """Returns:
    the exit code: 2 when it cannot begin.
    """
    orders = json.loads(sys.stdin.buffer.readline())
    settings = with_changes(Settings.model_construct(), **orders["settings"])
    settle_memory()
    with contextlib.suppress(OSError):
        set_up_logging(settings.log_dir, level=settings.log_level, console_level="ERROR")
    # Ctrl-C reaches the whole terminal; the supervisor tells when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        return work(settings, orders, stopped)
    except ClipGeneratorError as error:
        log.warning("This worker cannot begin: %s", error)
        return 2


def work(settings: Settings, orders: Mapping[str, Any], stopped: threading.Event) -> int:
    """Open the library and do jobs."""
    lane: Lane = orders["lane"]
    kinds = [kind for kind in KINDS if lane_of(kind) == lane]
    with (
        Library.open(settings.library_place, backup_folder=settings.backup_dir) as library,
        Doorbell(settings, orders["secret"], lane) as bell,
    ):
        worker = Worker(
            library,
            settings,
            bell,
            {kind: handler(kind) for kind in kinds},
            kinds=kinds,
            finish_s=orders["finish_s"],
        )

        def on_signal(signum: int, frame: FrameType | None) -> None:
            worker.stop()

        signal.signal(signal.SIGTERM, on_signal)
        if stopped.is_set():
            return 0
        threading.Thread(target=_drain_when_alone, args=(worker,), name="supervisor-gone", daemon=True).start()
        worker.run()
    return 0


def _drain_when_alone(worker: Worker) -> None:
    """Standard input ends with the supervisor, however that ended. What is in the line is done all the same."""
    # Not through the buffer, whose lock the interpreter wants when it ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    worker.drain()


if __name__ == "__main__":
    sys.exit(main())
