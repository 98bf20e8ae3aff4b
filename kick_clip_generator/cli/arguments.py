"""What the commands' parsers share: one-line errors, and number types whose ranges come from the settings."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any, NoReturn

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import setting_range


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def number(low: float, high: float, *, whole: bool = False) -> Callable[[str], Any]:
    """An argparse type: a finite number from `low` to `high`."""

    def parse(text: str) -> Any:
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            kind = "a whole number" if whole else "a number"
            raise argparse.ArgumentTypeError(f"expected {kind} from {low:g} to {high:g}, got {text!r}")
        return value

    return parse


def setting(name: str, *, whole: bool = False) -> Callable[[str], Any]:
    """An argparse type with the range that the setting of this name has."""
    return number(*setting_range(name), whole=whole)


def seconds_or_auto(text: str) -> float | None:
    """An argparse type for `--clip-duration`: seconds, or "auto" for None."""
    return None if text.strip().lower() == "auto" else float(setting("clip_duration")(text))
