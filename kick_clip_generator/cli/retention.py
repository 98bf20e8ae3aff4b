"""`main.py retention`: delete what nobody rated or kept when it is old or the quota is reached."""

from __future__ import annotations

import argparse

from kick_clip_generator.core.settings import Settings

HELP = "make room: old clips that are neither rated nor kept"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.service.library import open_library
    from kick_clip_generator.service.retention import retain

    with open_library(settings) as library:
        found = retain(library, settings, dry_run=args.dry_run)
    if args.quiet:
        return 0
    for note in found.notes or ("Nothing to delete.",):
        print(note)
    for path in found.reconciled.strays:
        print(f"Not in the library: {path}")
    if found.reconciled.missing:
        print(f"Clips whose file is gone: {', '.join(map(str, found.reconciled.missing))}")
    return 0
