"""`main.py backup`: a consistent copy of the library, also while it is in use."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from kick_clip_generator.core.settings import Settings

HELP = "copy the library (clips.db) to a file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, metavar="FILE", help="default: backups/<library>.<date> beside it")


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.service.library import open_library

    with open_library(settings) as library:
        stamp = f"{datetime.now():%Y%m%d_%H%M%S}"
        target = args.to or library.backup_folder / f"{library.path.stem}.{stamp}{library.path.suffix}"
        library.backup(target)
    if not args.quiet:
        print(target)
    return 0
