"""`main.py analyze`: find highlights without cutting anything."""

from __future__ import annotations

import argparse
from pathlib import Path

from kick_clip_generator.cli.generate import add_detection_arguments
from kick_clip_generator.cli.source_arguments import add_source_arguments, add_stream_arguments
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings

HELP = "find highlights, cut nothing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    stream = parser.add_argument_group("what to analyse")
    add_stream_arguments(stream)
    stream.add_argument("--demo", action="store_true", help="use a three-minute stream made on the spot")
    add_source_arguments(parser)
    add_detection_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the highlights to FILE")


def run(args: argparse.Namespace, settings: Settings) -> int:
    if args.url is None and args.url_file is None and not args.demo:
        raise InputError("no stream was given: add --url X, --url-file FILE or --demo")

    from kick_clip_generator.cli.streams import generate

    return generate(args, settings, make_clips=False)
