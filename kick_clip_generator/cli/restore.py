"""`main.py restore`: put a backup in the place of what is in the library, also while it is in use."""

from __future__ import annotations

import argparse
from pathlib import Path

from kick_clip_generator.core.settings import Settings

HELP = "put a backup of the library back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: the newest in the backup folder")


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.service.backup import restore
    from kick_clip_generator.service.library import open_library

    with open_library(settings) as library:
        restored, before = restore(library, args.file)
    if not args.quiet:
        print(f"Restored {restored}; what was there before is in {before}.")
    return 0
