"""`main.py worker`: workers on this machine, for the server of another one, or beside a server without its own."""

from __future__ import annotations

import argparse
import signal
import threading

from kick_clip_generator.cli.arguments import number
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings, with_changes

HELP = "work on jobs (with DATABASE_URL, on any number of machines)"

# A container is given ten seconds to end.
FINISH_S, GRACE_S = 6.0, 9.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=number(1, 64, whole=True), metavar="N", help="processes (default: WORKERS, which is 2)"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.jobs.supervisor import Supervisor
    from kick_clip_generator.service.jobs import start_daily
    from kick_clip_generator.service.library import open_library
    from kick_clip_generator.service.secrets import secret_key

    if args.workers is not None:
        settings = with_changes(settings, workers=args.workers)
    if not settings.workers:
        raise InputError("WORKERS is 0, so there is nobody to work; give --workers N.")
    ended = threading.Event()
    with open_library(settings) as library:
        supervisor = Supervisor(
            library, settings, secret_key(library, settings), finish_s=FINISH_S, periodic=start_daily
        )
        supervisor.start()
        # SIGTERM comes as KeyboardInterrupt, see `cli.main`.
        try:
            if not args.quiet:
                print(
                    f"Working with {settings.workers} processes, and one for live streams (Ctrl-C ends it)", flush=True
                )
            while not ended.wait(3600):
                pass
        except KeyboardInterrupt:
            # A second one must not leave workers behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        finally:
            supervisor.stop(GRACE_S)
    return 0
