"""The door of the command line: flags and commands side by side, errors in one line, Ctrl-C within two seconds."""

from __future__ import annotations

import importlib
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from kick_clip_generator import __version__
from kick_clip_generator.cli.arguments import OneLineParser
from kick_clip_generator.core.errors import ClipGeneratorError, InputError
from kick_clip_generator.core.logs import set_up_logging
from kick_clip_generator.core.memory import settle_memory
from kick_clip_generator.core.settings import Settings, load_settings

# A command is a module of this folder with NAME, HELP, add_arguments(parser) and run(args, settings) -> exit code.
# Imported only when called or when help is shown: their own heavy imports stay inside run().
COMMANDS = (
    "analyze",
    "clip",
    "download",
    "keep",
    "drop",
    "export",
    "retrain",
    "backup",
    "restore",
    "retention",
    "library",
    "serve",
    "worker",
    "password",
    "doctor",
    "config",
)

DESCRIPTION = "Finds the highlights of a stream and cuts them as clips."

log = logging.getLogger(__name__)


def command_module(name: str) -> ModuleType:
    return importlib.import_module(f"kick_clip_generator.cli.{name}")


def build_parser(argv: Sequence[str]) -> tuple[OneLineParser, ModuleType]:
    """The parser for this call and the module that runs it."""
    if argv and argv[0] in COMMANDS:
        module = command_module(argv[0])
        parser = OneLineParser(prog=f"main.py {argv[0]}", description=module.HELP)
    else:
        module = command_module("generate")
        parser = OneLineParser(prog="main.py", description=DESCRIPTION, epilog=_command_list(argv))
        parser.add_argument("--version", action="version", version=f"Kick Clip Generator {__version__}")
    module.add_arguments(parser)
    level = parser.add_mutually_exclusive_group()
    level.add_argument("-v", "--verbose", action="store_true", help="say more on the terminal")
    level.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    return parser, module


def _command_list(argv: Sequence[str]) -> str | None:
    """The commands with their help; looking at them all is for those who ask."""
    if not {"-h", "--help"} & set(argv):
        return None
    lines = [f"  {name:10s} {command_module(name).HELP}" for name in COMMANDS]
    return "\n".join(["commands (main.py COMMAND --help):", *lines])


def main(argv: Sequence[str], *, read_overrides: Callable[[], dict[str, Any]] = dict) -> int:
    """Run one command line.

    Args:
        argv: without the program's name; a leading command is one of `COMMANDS`.
        read_overrides: gives the values of `config.py`.

    Returns:
        The exit code: 0, 2 for bad input or an expected failure, 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        # A title with an emoji must not end a run on a terminal that cannot show it.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    settle_memory()
    is_command = bool(argv) and argv[0] in COMMANDS
    try:
        parser, module = build_parser(argv)
        args = parser.parse_args(list(argv[1:] if is_command else argv))
        settings = _settings(read_overrides)
        _log_to(settings, args)
        signal.signal(signal.SIGTERM, _as_keyboard_interrupt)
        return int(module.run(args, settings))
    except KeyboardInterrupt:
        print("\nStopped; what was finished is kept, and the same command goes on from there.", file=sys.stderr)
        return 130
    except ClipGeneratorError as error:
        log.debug("Ended by an expected failure", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return 1


def _settings(read_overrides: Callable[[], dict[str, Any]]) -> Settings:
    try:
        overrides = read_overrides()
    except Exception as error:  # the sheet is the user's own Python; whatever is wrong in it, say where
        raise InputError(
            f"config.py cannot be read ({type(error).__name__}: {error}); mend it or delete it."
        ) from error
    return load_settings(overrides)


def _log_to(settings: Settings, args: Any) -> None:
    console = "DEBUG" if args.verbose else "ERROR" if args.quiet else "WARNING"
    try:
        set_up_logging(Path(settings.log_dir), level=settings.log_level, console_level=console)
    except OSError as error:
        raise InputError(
            f"The log folder {settings.log_dir} cannot be written ({error.strerror}); set LOG_DIR to another folder."
        ) from error


def _as_keyboard_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
