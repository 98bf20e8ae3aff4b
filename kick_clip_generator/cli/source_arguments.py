"""The flags that say which streams are read and how they are reached; all commands that read one share them."""

from __future__ import annotations

import argparse
from pathlib import Path

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings, with_changes

STREAM = "a Kick, Twitch or YouTube link, an MP4/WebM/MKV or HLS playlist URL, or a local file"
MOST_URLS = 1000
MOST_BYTES = MOST_URLS * 8192


def add_stream_arguments(group: argparse._ActionsContainer) -> None:
    """Which streams; `analyze` shares these."""
    group.add_argument("--url", action="append", metavar="X", help=f"{STREAM}; may be repeated")
    group.add_argument("--url-file", type=Path, metavar="FILE", help="a text file with one of these per line")


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """How streams are reached; all commands that read one share these."""
    source = parser.add_argument_group("reaching the stream (each is also a setting, see config.py)")
    cookies = source.add_mutually_exclusive_group()
    cookies.add_argument("--cookies", type=Path, metavar="FILE", help="cookies.txt of a browser that is logged in")
    cookies.add_argument("--cookies-from-browser", metavar="NAME", help="take the cookies of firefox, chrome, edge …")
    source.add_argument("--quality", metavar="Q", help="cut clips from this quality: best, or a height such as 720p")
    source.add_argument("--live-from", choices=("now", "start"), help="where to begin in a running stream")


def with_source_arguments(args: argparse.Namespace, settings: Settings) -> Settings:
    """The settings with what `add_source_arguments`, and `--signals`, asked for.

    Raises:
        InputError: when a value is out of range.
    """
    given = {
        "cookies_file": args.cookies,
        "cookies_from_browser": args.cookies_from_browser,
        "quality": args.quality,
        "live_from": args.live_from,
        # Only commands that analyse have it.
        "signals": getattr(args, "signals", None),
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if "cookies_file" in changes or "cookies_from_browser" in changes:
        # One of them takes the place of either in the settings.
        changes = {"cookies_file": None, "cookies_from_browser": "", **changes}
    return with_changes(settings, **changes)


def urls_of(args: argparse.Namespace) -> list[str]:
    """The streams that `--url` and `--url-file` name, each once, in their order.

    Raises:
        InputError: when the file cannot be read or names none.
    """
    named = list(args.url or [])
    if args.url_file is not None:
        named += _lines_of(args.url_file)
    urls = list(dict.fromkeys(named))
    if len(urls) > MOST_URLS:
        raise InputError(f"{len(urls)} streams were given and at most {MOST_URLS} are taken at once; split the list")
    return urls


def _lines_of(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"--url-file {path} cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"--url-file {path} is no text in UTF-8; save it as plain text with a link per line") from None
    lines = [line.strip() for line in text.splitlines()]
    urls = [line for line in lines if line and not line.startswith("#")]
    if not urls or len(data) > MOST_BYTES:
        what = "names no stream" if not urls else "is too long"
        raise InputError(f"--url-file {path} {what}; write up to {MOST_URLS} links, one per line")
    return urls
