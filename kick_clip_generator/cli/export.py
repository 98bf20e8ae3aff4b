"""`main.py export`: clips leave the library, each for itself or several in one file."""

from __future__ import annotations

import argparse
import math
import re
import sys

from kick_clip_generator.cli.arguments import number
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings

HELP = "export clips: to a folder, a ZIP file or elsewhere, also several in one file"

# A number of the library, with a stretch of the clip if anything: 7, 7@2.5-10, 7@0:30-1:15, 7@5-
_CHOSEN = re.compile(r"(\d{1,15})(?:@([\d.:]*)-([\d.:]*))?")
_TIME = re.compile(r"(?:(\d{1,3}):)??(?:(\d{1,4}):)?(\d{1,6}(?:\.\d{1,6})?)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_argument_group("which clips")
    which.add_argument(
        "--clips", type=_clips, metavar="N,N,…", help="these, in this order; for a compound also spans: 7@0:10-0:25"
    )
    which.add_argument("--min-stars", type=number(1, 5, whole=True), metavar="N", help="with at least N stars")
    which.add_argument("--source", metavar="X", help="of the stream of this link or file")
    which.add_argument("--all", action="store_true", help="all of them")
    where = parser.add_argument_group("where to")
    where.add_argument(
        "--to",
        default="folder",
        metavar="NAME",
        help="folder, zip, or a destination that is installed (default: folder)",
    )
    where.add_argument("--into", default="", metavar="PATH", help="the folder or file (default: EXPORT_DIR)")
    where.add_argument(
        "--name",
        default="",
        metavar="TEMPLATE",
        help="names of the files, such as '{rank:02d} {title}' (see config.py)",
    )
    joined = parser.add_argument_group("several in one")
    joined.add_argument("--compound", action="store_true", help="one file of all, with a chapter for each clip")
    joined.add_argument(
        "--crossfade", type=number(0, 60), default=0.0, metavar="SECONDS", help="fade each clip into the next"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    if not (args.clips or args.min_stars or args.source or args.all):
        raise InputError("say which clips: --clips 3,5,9, --min-stars N, --source X or --all")
    if args.clips and (args.min_stars or args.source or args.all):
        raise InputError("--clips names the clips, so it excludes --min-stars, --source and --all")

    from kick_clip_generator.cli.bar import ProgressBar
    from kick_clip_generator.cli.table import printable
    from kick_clip_generator.core.records import Span
    from kick_clip_generator.service.export import ChosenClip, ExportRequest, export_clips
    from kick_clip_generator.service.library import open_library

    request = ExportRequest(
        clips=[ChosenClip(number, Span(*ends) if ends is not None else None) for number, ends in args.clips or ()],
        min_stars=args.min_stars,
        source=args.source or "",
        everything=args.all,
        to=args.to,
        into=args.into,
        name=args.name,
        compound=args.compound,
        crossfade_s=args.crossfade,
    )
    with ProgressBar(quiet=args.quiet) as bar, open_library(settings) as library:
        result = export_clips(request, library=library, settings=settings, progress=bar.show)
    for note in result.notes:
        print(printable(note), file=sys.stderr)
    for failure in result.failures:
        print(f"error: {printable(failure)}", file=sys.stderr)
    if not args.quiet:
        for where in dict.fromkeys(exported.where for exported in result.sent):
            print(printable(where))
    return 2 if result.failures else 0


def _clips(text: str) -> list[tuple[int, tuple[float, float] | None]]:
    """An argparse type: numbers of clips with the ends of their spans."""
    return [_chosen(item.strip()) for item in text.split(",")]


def _chosen(item: str) -> tuple[int, tuple[float, float] | None]:
    found = _CHOSEN.fullmatch(item)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected numbers of clips such as 3,5,9 or 7@0:10-0:25, got {item!r}")
    clip_id, start, end = found.groups()
    if start is None:
        return int(clip_id), None
    start_s, end_s = _seconds(start, 0.0), _seconds(end, math.inf)
    if not start_s < end_s:
        raise argparse.ArgumentTypeError(f"expected a start before the end, got {item!r}")
    # A span is finite, and no clip is a day long.
    return int(clip_id), (start_s, min(end_s, 86_400.0))


def _seconds(text: str, default_s: float) -> float:
    if not text:
        return default_s
    found = _TIME.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a time in seconds or m:ss, got {text!r}")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
