"""`main.py clip`: cut one moment by hand, or move the ends of a clip."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kick_clip_generator.cli.arguments import add_cut_argument, moment
from kick_clip_generator.cli.clip_arguments import clip_name, clip_named
from kick_clip_generator.cli.source_arguments import STREAM, add_source_arguments, with_source_arguments
from kick_clip_generator.core.errors import InputError, MediaError
from kick_clip_generator.core.settings import Settings

HELP = "cut one moment by hand, or move the ends of a clip (--id)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    stream = parser.add_mutually_exclusive_group()
    # Not the same destination: a positional that is not given would overwrite the flag.
    stream.add_argument("stream", nargs="?", metavar="URL", help=STREAM)
    stream.add_argument("--url", metavar="X", help="the same; with --id where the clip's source is now")
    parser.add_argument("--id", type=clip_name, metavar="N|FILE", help="move the ends of this clip instead")
    parser.add_argument("--start", type=moment, metavar="TIME", help="where it begins: 1:02:03, 2:03.5 or seconds")
    parser.add_argument("--end", type=moment, metavar="TIME", help="where it ends; with --id one of the two is enough")
    add_cut_argument(parser)
    parser.add_argument("--output", type=Path, metavar="DIR", help="write the clip into DIR")
    add_source_arguments(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    url = args.stream if args.url is None else args.url
    _check(args, url)
    settings = with_source_arguments(args, settings)
    return _move(args, url, settings) if args.id is not None else _cut(args, url, settings)


def _check(args: argparse.Namespace, url: str | None) -> None:
    if args.id is None:
        if url is None:
            raise InputError("give the stream to cut from, or the clip whose ends are to move with --id")
        if args.start is None or args.end is None:
            raise InputError("give --start and --end, such as --start 1:02:03 --end 1:02:40")
    elif args.start is None and args.end is None:
        raise InputError("give --start, --end or both: the new ends of the clip in its stream")
    elif args.output is not None or args.stream is not None:
        raise InputError("--id moves the ends of a clip where it lies: give no stream and no --output with it")
    if args.start is not None and args.end is not None and args.start >= args.end:
        from kick_clip_generator.core.timeline import clock

        raise InputError(f"--start ({clock(args.start)}) must lie before --end ({clock(args.end)}); swap them")


def _cut(args: argparse.Namespace, url: str, settings: Settings) -> int:
    from kick_clip_generator.cli.bar import ProgressBar
    from kick_clip_generator.cli.checking import check_clips
    from kick_clip_generator.core.records import Highlight, Span
    from kick_clip_generator.service.cut import cut_highlights
    from kick_clip_generator.service.generate import GenerateRequest
    from kick_clip_generator.service.library import open_library

    span = Span(args.start, args.end)
    by_hand = Highlight(kind="both", score=0.0, peak_s=(span.start_s + span.end_s) / 2, event=span, clip=span)
    request = GenerateRequest.checked(url=url, settings=settings, cut=args.cut, output=args.output)
    with open_library(settings) as library:
        with ProgressBar(quiet=args.quiet) as bar:
            made = cut_highlights(request, [by_hand], library=library, settings=settings, progress=bar.show)
        if not made.files:
            raise MediaError(" ".join(made.notes) or "The clip could not be made.")
        for note in made.notes:
            print(note, file=sys.stderr)
        if not args.quiet:
            for file in made.files:
                print(file.path, flush=True)
        check_clips(library, settings, [file.id for file in made.files], quiet=args.quiet)
    return 0


def _move(args: argparse.Namespace, url: str | None, settings: Settings) -> int:
    from kick_clip_generator.cli.bar import ProgressBar
    from kick_clip_generator.cli.checking import check_clips
    from kick_clip_generator.service.bounds import move_bounds
    from kick_clip_generator.service.library import open_library

    with open_library(settings) as library:
        with ProgressBar(quiet=args.quiet) as bar:
            done = move_bounds(
                clip_named(library, args.id).id,
                args.start,
                args.end,
                library=library,
                settings=settings,
                url=url,
                cut=args.cut,
                progress=bar.show,
            )
        if done.note:
            print(done.note, file=sys.stderr)
        if not args.quiet:
            print(done.clip.path, flush=True)
        check_clips(library, settings, [done.clip.id], quiet=args.quiet)
    return 0
