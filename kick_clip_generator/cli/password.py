"""`main.py password`: what lets people into the server, as a hash in the library."""

from __future__ import annotations

import argparse
import getpass
import sys

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings

HELP = "set the password of the server (asked for, or one line on standard input)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--remove", action="store_true", help="let everybody on this computer in again")


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.service.door import set_password
    from kick_clip_generator.service.library import open_library

    password = None if args.remove else _asked() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    with open_library(settings) as library:
        set_password(library, password)
    if not args.quiet:
        print("The password is removed." if args.remove else "The password is set; who was logged in logs in again.")
    return 0


def _asked() -> str:
    password = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != password:
        raise InputError("The two are not the same; try again.")
    return password
