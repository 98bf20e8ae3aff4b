"""`main.py analyze`: find highlights without cutting anything, and keep how they were found."""

from __future__ import annotations

import argparse
from pathlib import Path

from kick_clip_generator.cli.generate import add_detection_arguments
from kick_clip_generator.cli.source_arguments import STREAM, add_source_arguments, add_stream_arguments
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings

HELP = "find highlights, cut nothing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", nargs="*", metavar="STREAM", help=f"{STREAM}; the same as --url")
    stream = parser.add_argument_group("what to analyse")
    add_stream_arguments(stream)
    stream.add_argument("--demo", action="store_true", help="use a three-minute stream made on the spot")
    add_source_arguments(parser)
    add_detection_arguments(parser)
    kept = parser.add_argument_group("what to keep")
    kept.add_argument(
        "-o",
        "--output-dir",
        type=Path,
        metavar="DIR",
        help="write the clips' times, all signals, every step of the detection and a page that shows them into DIR; "
        "with several streams, into a folder of DIR for each",
    )
    kept.add_argument(
        "--compare", action="store_true", help="with -o: both modes, and a page that shows them side by side"
    )
    kept.add_argument("--json", type=Path, metavar="FILE", help="also write the highlights to FILE")


def run(args: argparse.Namespace, settings: Settings) -> int:
    args.url = [*args.stream, *(args.url or [])] or None
    if args.url is None and args.url_file is None and not args.demo:
        raise InputError("no stream was given: add a link or a file, --url-file FILE or --demo")
    if args.compare and args.output_dir is None:
        raise InputError("--compare writes files: say where with -o DIR")

    from kick_clip_generator.cli.analysis_files import Writer
    from kick_clip_generator.cli.streams import TERMINAL, generate

    if args.output_dir is None:
        return generate(args, settings, make_clips=False)
    exit_code = generate(args, settings, make_clips=False, keep=Writer.into(args.output_dir, compare=args.compare))
    if not (exit_code or args.quiet or args.json == TERMINAL):
        print(f"How they were found is in {args.output_dir}; open its timeline page in a browser.")
    return exit_code
