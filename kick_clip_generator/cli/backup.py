"""`main.py backup`: a consistent copy of the library, also while it is in use."""

from __future__ import annotations

import argparse
from pathlib import Path

from kick_clip_generator.core.settings import Settings

HELP = "copy the library to a file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, metavar="FILE", help="default: backups/<library>.<date> beside it")


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.service.backup import back_up
    from kick_clip_generator.service.library import open_library

    with open_library(settings) as library:
        written = back_up(library, settings, args.to)
    if not args.quiet:
        print(args.to or written.path)
    return 0
