"""`main.py download LINK`: keep a stream on this computer; an interrupted download goes on where it stopped."""

from __future__ import annotations

import argparse

from kick_clip_generator.cli.source_arguments import STREAM, add_source_arguments, with_source_arguments
from kick_clip_generator.core.settings import Settings

HELP = "keep a stream in DOWNLOAD_DIR"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", metavar="LINK", help=STREAM)
    add_source_arguments(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.cli.bar import ProgressBar
    from kick_clip_generator.core.progress import CancelToken
    from kick_clip_generator.service.here import do_here
    from kick_clip_generator.service.library import open_library
    from kick_clip_generator.service.projects import add_project

    # Here the flag names what is kept, not what clips are cut from.
    quality = args.quality or settings.download_quality
    settings = with_source_arguments(args, settings)
    with open_library(settings) as library:
        project = add_project(library, settings, args.stream, client="127.0.0.1")
        with ProgressBar(quiet=args.quiet) as bar:
            do_here(
                library,
                settings,
                "download",
                {"quality": quality},
                project_id=project.id,
                idem_key=f"download:project:{project.id}",
                progress=bar.show,
                cancel=CancelToken(),
            )
        kept = library.project(project.id).video
    if kept is not None and not args.quiet:
        print(kept.path)
    return 0
