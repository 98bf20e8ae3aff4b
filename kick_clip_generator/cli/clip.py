"""`main.py clip`: cut one moment by hand."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kick_clip_generator.cli.arguments import number
from kick_clip_generator.cli.source_arguments import STREAM, add_source_arguments, with_source_arguments
from kick_clip_generator.core.errors import InputError, MediaError
from kick_clip_generator.core.settings import LONGEST_STREAM_MIN, Settings

HELP = "cut one moment by hand"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    second = number(0, 60 * LONGEST_STREAM_MIN)
    parser.add_argument("--url", required=True, metavar="X", help=STREAM)
    parser.add_argument("--start", required=True, type=second, metavar="SECONDS", help="where the clip begins")
    parser.add_argument("--end", required=True, type=second, metavar="SECONDS", help="where it ends")
    parser.add_argument("--cut", choices=("copy", "exact"), help="copy: fast, exact: re-encoded (default: exact)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write the clip into DIR")
    add_source_arguments(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    if args.start >= args.end:
        raise InputError(f"--start ({args.start:g} s) must lie before --end ({args.end:g} s); swap them")

    from kick_clip_generator.cli.bar import ProgressBar
    from kick_clip_generator.core.records import Highlight, Span
    from kick_clip_generator.service.cut import cut_highlights
    from kick_clip_generator.service.generate import GenerateRequest
    from kick_clip_generator.service.library import open_library

    settings = with_source_arguments(args, settings)
    span = Span(args.start, args.end)
    by_hand = Highlight(kind="both", score=0.0, peak_s=(span.start_s + span.end_s) / 2, event=span, clip=span)
    request = GenerateRequest.checked(url=args.url, settings=settings, cut=args.cut, output=args.output)
    with ProgressBar(quiet=args.quiet) as bar, open_library(settings) as library:
        made = cut_highlights(request, [by_hand], library=library, settings=settings, progress=bar.show)
    if not made.files:
        raise MediaError(" ".join(made.notes) or "The clip could not be made.")
    for note in made.notes:
        print(note, file=sys.stderr)
    if not args.quiet:
        for file in made.files:
            print(file.path)
    return 0
