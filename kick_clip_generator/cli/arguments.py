"""What the commands' parsers share: one-line errors, and number types whose ranges come from the settings."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import LONGEST_STREAM_MIN, Settings, setting_range

_MOMENT = re.compile(r"(?:(?:([0-9]{1,4}):)?([0-9]{1,4}):)?([0-9]{1,9}(?:\.[0-9]{0,9})?)")


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


def moment(text: str) -> float:
    """An argparse type: a time in a stream, `h:mm:ss`, `m:ss` or seconds, each with decimals if need be."""
    found = _MOMENT.fullmatch(text.strip())
    if found is not None:
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        # 90 s is a time and 1:90 a slip of the fingers.
        fits = (seconds < 60 or found[2] is None) and (minutes < 60 or found[1] is None)
        time_s = 3600 * hours + 60 * minutes + seconds
        if fits and time_s <= 60 * LONGEST_STREAM_MIN:
            return time_s
    raise argparse.ArgumentTypeError(f"expected a time such as 1:02:03, 2:03.5 or 123.5 (seconds), got {text!r}")


def seconds_or_auto(text: str) -> float | None:
    """An argparse type for `--clip-duration`: seconds, or "auto" for None."""
    return None if text.strip().lower() == "auto" else float(setting("clip_duration")(text))


def add_cut_argument(group: argparse._ActionsContainer) -> None:
    """How clips are cut."""
    group.add_argument(
        "--cut",
        choices=("copy", "smart", "exact"),
        help="copy: nothing re-encoded, starts at a keyframe; smart: to the frame, re-encoded only up to the first "
        f"keyframe; exact: all re-encoded (default: {Settings.model_fields['cut'].default})",
    )
