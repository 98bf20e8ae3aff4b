"""`main.py analyze`: find highlights without cutting anything."""

from __future__ import annotations

import argparse
from pathlib import Path

from kick_clip_generator.cli.generate import add_detection_arguments, generate
from kick_clip_generator.core.settings import Settings

HELP = "find highlights, cut nothing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    stream = parser.add_mutually_exclusive_group(required=True)
    stream.add_argument("--url", metavar="X", help="a local file, a media URL or an HLS playlist URL")
    stream.add_argument("--demo", action="store_true", help="use a three-minute stream made on the spot")
    add_detection_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the highlights to FILE")


def run(args: argparse.Namespace, settings: Settings) -> int:
    return generate(args, settings, make_clips=False)
