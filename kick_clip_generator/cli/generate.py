"""The main job: `main.py --url X --generate-clips`, and `--gui`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kick_clip_generator.cli.arguments import number, seconds_or_auto, setting
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import LONGEST_STREAM_MIN, Settings

if TYPE_CHECKING:  # it brings numpy, and --help must answer at once
    from kick_clip_generator.core.records import CutMode

HELP = "find highlights and cut clips"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to do")
    what.add_argument("--gui", action="store_true", help="open the web UI (what happens without any flag)")
    what.add_argument("--no-browser", action="store_true", help="with --gui: do not open the browser")
    what.add_argument("--url", metavar="X", help="a local file, an MP4/WebM/MKV URL or an HLS playlist URL")
    what.add_argument("--demo", action="store_true", help="use a three-minute stream made on the spot instead of a URL")
    what.add_argument("--generate-clips", action="store_true", help="cut the highlights as clips")
    add_detection_arguments(parser)
    clips = parser.add_argument_group("clips")
    clips.add_argument("--cut", choices=("copy", "exact"), help="copy: fast, exact: re-encoded (default: exact)")
    clips.add_argument("--output", type=Path, metavar="DIR", help="write the clips flat into DIR")
    clips.add_argument("--json", type=Path, metavar="FILE", help="also write the highlights to FILE")


def add_detection_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that `analyze` shares."""
    found = parser.add_argument_group("highlights")
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
    found.add_argument("--max-audio-clips", type=number(1, 25, whole=True), metavar="N", help="1-25 (default: 10)")
    found.add_argument("--max-video-clips", type=number(1, 25, whole=True), metavar="N", help="1-25 (default: 10)")
    found.add_argument(
        "--type", choices=("audio", "video", "both"), default="both", help="which highlights (default: both)"
    )
    found.add_argument("--start-minute", type=number(0, LONGEST_STREAM_MIN), metavar="M", help="begin here")
    found.add_argument("--end-minute", type=number(0, LONGEST_STREAM_MIN), metavar="M", help="stop here")


def run(args: argparse.Namespace, settings: Settings) -> int:
    if args.url is None and not args.demo:
        for flag, given in (
            ("--generate-clips", args.generate_clips),
            ("--json", args.json),
            ("--output", args.output),
        ):
            if given:
                raise InputError(f"{flag} needs a stream: give --url X, or --demo to try it without one")
        from kick_clip_generator.server import open_gui

        return open_gui(settings, open_browser=not args.no_browser)
    if args.gui:
        raise InputError("--gui and --url exclude each other: paste the URL into the page instead")
    return generate(args, settings, make_clips=args.generate_clips, cut=args.cut, output=args.output)


def generate(
    args: argparse.Namespace,
    settings: Settings,
    *,
    make_clips: bool,
    cut: CutMode | None = None,
    output: Path | None = None,
) -> int:
    """Run the use case with a progress bar and print what it found."""
    from kick_clip_generator.cli.bar import ProgressBar
    from kick_clip_generator.cli.table import print_result
    from kick_clip_generator.service.demo import demo_source
    from kick_clip_generator.service.generate import GenerateRequest, generate_highlights
    from kick_clip_generator.service.library import open_library

    if args.url is not None and args.demo:
        raise InputError("--url and --demo exclude each other: give one of them")
    if args.json is not None and str(args.json) != "-":
        _check_target(args.json, args.url)
    with ProgressBar(quiet=args.quiet) as bar:
        request = GenerateRequest.checked(
            url=args.url if args.url is not None else str(demo_source(settings, bar.show)),
            make_clips=make_clips,
            kinds=args.type,
            max_audio_clips=args.max_audio_clips,
            max_video_clips=args.max_video_clips,
            min_gap_s=args.min_gap,
            clip_duration_s=getattr(args, "clip_duration", settings.clip_duration),
            start_minute=args.start_minute,
            end_minute=args.end_minute,
            cut=cut,
            output=output,
            settings=settings,
        )
        with open_library(settings) as library:
            result = generate_highlights(request, library=library, settings=settings, progress=bar.show)
    if args.json is not None:
        if str(args.json) == "-":
            json.dump(result.document, sys.stdout, indent=2, ensure_ascii=False)
            print()
        else:
            result.write_document(args.json)
    if not args.quiet and str(args.json) != "-":
        print_result(result)
    return 0


def _check_target(target: Path, url: str | None) -> None:
    """Before an hour of work: `--json` must name a file that may be written, and not the stream itself."""
    from kick_clip_generator.library.files import check_writable

    if target.exists() and not target.is_file():
        raise InputError(f"--json {target} is no regular file; name another one, or - for the terminal")
    if target.exists() and url is not None and Path(url).exists() and target.samefile(url):
        raise InputError(f"--json {target} is the stream itself and would be overwritten; name another file")
    check_writable(target.parent, min_free_bytes=1 << 20)
