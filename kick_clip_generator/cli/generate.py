"""The main job: `main.py --url X --generate-clips`, and `--gui`."""

from __future__ import annotations

import argparse
from pathlib import Path

from kick_clip_generator.cli.arguments import add_cut_argument, number, seconds_or_auto, setting
from kick_clip_generator.cli.source_arguments import add_source_arguments, add_stream_arguments, with_source_arguments
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.kinds import MEDIA, WANTED
from kick_clip_generator.core.settings import LONGEST_STREAM_MIN, Settings

HELP = "find highlights and cut clips"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to do")
    what.add_argument("--gui", action="store_true", help="open the web UI (what happens without any flag)")
    what.add_argument("--no-browser", action="store_true", help="with --gui: do not open the browser")
    add_stream_arguments(what)
    what.add_argument("--demo", action="store_true", help="use a three-minute stream made on the spot instead of a URL")
    what.add_argument("--generate-clips", action="store_true", help="cut the highlights as clips")
    add_source_arguments(parser)
    add_detection_arguments(parser)
    clips = parser.add_argument_group("clips")
    add_cut_argument(clips)
    clips.add_argument("--output", type=Path, metavar="DIR", help="write the clips flat into DIR")
    clips.add_argument("--json", type=Path, metavar="FILE", help="also write the highlights to FILE")


def add_detection_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that `analyze` shares."""
    found = parser.add_argument_group("highlights")
    found.add_argument(
        "--mode",
        choices=("v2", "v1"),
        help="v2: moments that stand out, with ends chosen around them; v1: scenes (default: v2)",
    )
    found.add_argument(
        "--clip-duration",
        type=seconds_or_auto,
        default=argparse.SUPPRESS,
        metavar="SECONDS|auto",
        help="length of the clips (default: auto, ends are chosen)",
    )
    found.add_argument(
        "--min-gap",
        type=setting("min_gap"),
        metavar="SECONDS",
        help="least distance of two highlights of a kind (default: 10)",
    )
    for medium in MEDIA:
        found.add_argument(
            f"--max-{medium}-clips", type=number(1, 25, whole=True), metavar="N", help="1-25 (default: 10)"
        )
    found.add_argument(
        "--type",
        choices=WANTED,
        default="all",
        help="which highlights; both: sound and picture (default: all that can be found)",
    )
    found.add_argument(
        "--chat",
        type=Path,
        metavar="FILE",
        help="what viewers wrote: a JSON object per line with t (seconds of the stream), user and text",
    )
    found.add_argument(
        "--signals",
        choices=("core", "candidates", "all"),
        help="where to measure the expensive signals, too (default: core, nowhere)",
    )
    found.add_argument("--start-minute", type=number(0, LONGEST_STREAM_MIN), metavar="M", help="begin here")
    found.add_argument("--end-minute", type=number(0, LONGEST_STREAM_MIN), metavar="M", help="stop here")


def run(args: argparse.Namespace, settings: Settings) -> int:
    if args.url is None and args.url_file is None and not args.demo:
        for flag, given in (
            ("--generate-clips", args.generate_clips),
            ("--json", args.json),
            ("--output", args.output),
        ):
            if given:
                raise InputError(f"{flag} needs a stream: give --url X, or --demo to try it without one")
        from kick_clip_generator.server import open_gui

        return open_gui(with_source_arguments(args, settings), open_browser=not args.no_browser)
    if args.gui:
        raise InputError("--gui and --url exclude each other: paste the URL into the page instead")
    from kick_clip_generator.cli.streams import generate

    return generate(args, settings, make_clips=args.generate_clips, cut=args.cut, output=args.output)
