"""Runs the main job for one stream or many, and prints what it found."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kick_clip_generator.cli.bar import ProgressBar
from kick_clip_generator.cli.checking import check_clips
from kick_clip_generator.cli.source_arguments import urls_of, with_source_arguments
from kick_clip_generator.cli.table import print_result, printable
from kick_clip_generator.clips.manifest import write_json
from kick_clip_generator.core.errors import Cancelled, ClipGeneratorError, InputError, LibraryError
from kick_clip_generator.core.records import CutMode
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.highlights.debug import debug_name
from kick_clip_generator.library.files import check_writable, safe_name
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.demo import demo_source
from kick_clip_generator.service.generate import (
    DEBUG_FOLDER,
    GenerateRequest,
    GenerateResult,
    generate_highlights,
)
from kick_clip_generator.service.library import open_library

TERMINAL = Path("-")

Keep = Callable[[GenerateResult, str, Library, Settings], None]


def generate(
    args: argparse.Namespace,
    settings: Settings,
    *,
    make_clips: bool,
    cut: CutMode | None = None,
    output: Path | None = None,
    keep: Keep | None = None,
) -> int:
    """Run the use case for each stream that the flags name.

    One of several that fails does not hold up the others; the exit code is then that of the failure.

    Args:
        keep: called with each result, what it is called where several lie side by side ("" when it is the only one),
            the library and the settings of the run.
    """
    settings = with_source_arguments(args, settings)
    urls = urls_of(args)
    if urls and args.demo:
        raise InputError("--url and --demo exclude each other: give one of them")
    if args.chat is not None and len(urls) > 1:
        raise InputError("--chat FILE is the chat of one stream: give one --url with it")
    to_terminal = args.json == TERMINAL
    if args.json is not None and not to_terminal:
        _check_target(args.json, urls)
    documents: list[Mapping[str, Any]] = []
    made: list[int] = []
    exit_code = 0
    with open_library(settings) as library:
        if not urls:
            with ProgressBar(quiet=args.quiet) as bar:
                urls = [str(demo_source(settings, bar.show))]
        for place, url in enumerate(urls, 1):
            if len(urls) > 1 and not args.quiet:
                print(f"Stream {place} of {len(urls)}", file=sys.stderr)
            try:
                result = _one(url, args, settings, library, make_clips=make_clips, cut=cut, output=output)
                # Two streams may have the same title; a run of the same list finds its own folders again.
                name = f"{place}_{safe_name(result.source.title)}" if len(urls) > 1 else ""
                if make_clips and output is not None and name:
                    _put_aside(output, name, result)
                if keep is not None:
                    keep(result, name, library, settings)
            except (Cancelled, LibraryError):
                raise
            except ClipGeneratorError as error:
                if len(urls) == 1:
                    raise
                print(f"error: stream {place} of {len(urls)}: {printable(str(error))}", file=sys.stderr)
                exit_code = error.exit_code
                continue
            documents.append(result.document)
            made += [clip.id for clip in result.clips]
            if not args.quiet and not to_terminal:
                print_result(result)
        if args.json is not None and documents:
            document = documents[0] if len(urls) == 1 else {"streams": documents}
            if to_terminal:
                json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
                print()
            else:
                write_json(args.json, document)
        if made:
            check_clips(library, settings, made, quiet=args.quiet)
    return exit_code


def _one(
    url: str,
    args: argparse.Namespace,
    settings: Settings,
    library: Library,
    *,
    make_clips: bool,
    cut: CutMode | None,
    output: Path | None,
) -> GenerateResult:
    request = GenerateRequest.checked(
        url=url,
        make_clips=make_clips,
        kinds=args.type,
        max_audio_clips=args.max_audio_clips,
        max_video_clips=args.max_video_clips,
        max_speech_clips=args.max_speech_clips,
        max_chat_clips=args.max_chat_clips,
        chat=args.chat,
        mode=args.mode,
        min_gap_s=args.min_gap,
        clip_duration_s=getattr(args, "clip_duration", settings.clip_duration),
        start_minute=args.start_minute,
        end_minute=args.end_minute,
        cut=cut,
        output=output,
        settings=settings,
    )
    with ProgressBar(quiet=args.quiet) as bar:
        return generate_highlights(request, library=library, settings=settings, progress=bar.show)


def _put_aside(output: Path, name: str, result: GenerateResult) -> None:
    """Into a folder of `debug/` for each, for the next stream of the list writes its clips into the same folder.

    Raises:
        LibraryError: when the folder cannot be written.
    """
    document = output / DEBUG_FOLDER / debug_name(result.analysis.segmentation.config.mode)
    own = document.parent / name / document.name
    try:
        own.parent.mkdir(exist_ok=True)
        document.replace(own)
    except OSError as error:
        raise LibraryError(
            f"{document} could not be put into {own.parent} ({error}); choose another folder."
        ) from error


def _check_target(target: Path, urls: Sequence[str]) -> None:
    """Before an hour of work: `--json` must name a file that may be written, and not a stream itself."""
    if target.exists() and not target.is_file():
        raise InputError(f"--json {target} is no regular file; name another one, or - for the terminal")
    if target.exists() and any(Path(url).exists() and target.samefile(url) for url in urls):
        raise InputError(f"--json {target} is the stream itself and would be overwritten; name another file")
    check_writable(target.parent, min_free_bytes=1 << 20)
