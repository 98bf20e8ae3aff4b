"""`main.py serve`: the REST API, for other programs and other computers."""

from __future__ import annotations

import argparse

from kick_clip_generator.core.settings import Settings, with_changes

HELP = "serve the REST API (and the web UI with SERVE_FRONTEND)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="ADDRESS", help="default: 127.0.0.1, this computer alone")
    parser.add_argument("--port", type=int, metavar="N", help="default: 8000")
    parser.add_argument("--frontend", action="store_true", help="show the web page, too")
    parser.add_argument("--reload", action="store_true", help="start anew when the program's files change")


def run(args: argparse.Namespace, settings: Settings) -> int:
    given = {"host": args.host, "port": args.port, "serve_frontend": args.frontend or None}
    settings = with_changes(settings, **{name: value for name, value in given.items() if value is not None})
    from kick_clip_generator.server import serve, serve_reloading

    return (serve_reloading if args.reload else serve)(settings)
