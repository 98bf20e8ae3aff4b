"""`main.py library export|import`: everything in the library as tables, to look at or to take to another machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from kick_clip_generator.core.settings import Settings

HELP = "export or import everything as CSV and JSON"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("export", "import"))
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the tables are written to or read from")


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.library.exchange import export_tables
    from kick_clip_generator.library.exchange_import import import_tables
    from kick_clip_generator.service.library import open_library

    with open_library(settings) as library:
        counts = (export_tables if args.what == "export" else import_tables)(library, args.folder)
    if not args.quiet:
        for name, count in counts.items():
            print(f"{name:14s} {count}")
    return 0
