"""Clips on the command line: by their number in the library, or by their file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kick_clip_generator.core.errors import InputError, LibraryError
from kick_clip_generator.core.settings import Settings

if TYPE_CHECKING:
    from kick_clip_generator.library.library import Library
    from kick_clip_generator.library.records import Clip, Label

# The largest integer of the database.
_MOST = 2**63 - 1


def clip_name(text: str) -> int | Path:
    """An argparse type: the number of a clip, or the path of its file."""
    if text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= _MOST:
        return int(text)
    if not text.strip():
        raise argparse.ArgumentTypeError("expected the number or the file of a clip, got nothing")
    return Path(text)


def clip_named(library: Library, name: int | Path) -> Clip:
    """The clip of a number or file.

    Raises:
        LibraryError: when the library does not know it.
    """
    if isinstance(name, int):
        return library.clip(name)
    try:
        clip = library.clip_at(name)
    except (OSError, ValueError):
        clip = None
    if clip is None:
        raise LibraryError(f"{name} is no clip of this library; give the number or the file of one.")
    return clip


def add_label_arguments(parser: argparse.ArgumentParser) -> None:
    """`keep` and `drop` share these."""
    parser.add_argument("clips", nargs="+", type=clip_name, metavar="N|FILE", help="numbers or files of clips")
    parser.add_argument("--undo", action="store_true", help="take it back: the files return to their folder")


def label_clips(args: argparse.Namespace, settings: Settings, label: Label) -> int:
    """Run `keep` or `drop`; one clip that fails does not hold up the others."""
    from kick_clip_generator.cli.table import printable
    from kick_clip_generator.service.folders import set_label
    from kick_clip_generator.service.library import open_library

    message = ""
    exit_code = 0
    with open_library(settings) as library:
        for name in dict.fromkeys(args.clips):
            try:
                clip = clip_named(library, name)
                _require_label(clip, label, undo=args.undo)
                done = set_label(library, settings, clip.id, None if args.undo else label)
            except (InputError, LibraryError) as error:
                if len(args.clips) == 1:
                    raise
                print(f"error: {printable(str(error))}", file=sys.stderr)
                exit_code = error.exit_code
                continue
            message = done.outcome.message
            if not args.quiet:
                print(printable(str(done.clip.path)))
    if message and not args.quiet:
        print(message, file=sys.stderr)
    return exit_code


def _require_label(clip: Clip, label: Label, *, undo: bool) -> None:
    """`keep --undo` says nothing of a clip that was dropped."""
    if undo and not (clip.kept if label == "keep" else clip.dropped):
        raise InputError(f"clip {clip.id} has no such label that could be taken back")
