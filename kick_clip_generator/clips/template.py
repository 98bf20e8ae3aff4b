"""Names of exported files, made of what is known about a clip."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.library.names import safe_name

# Room for an extension and "_2" within what file systems take, and for a deep folder within Windows' 260 characters.
LONGEST_BYTES = 120

# A stranger's name is not padded to a gigabyte.
_WIDE = re.compile(r"\d{4,}")


class _Number(float):
    """A number that has a form of its own where the template gives none."""

    plain = ""

    def __format__(self, spec: str) -> str:
        return float.__format__(self, spec or self.plain)


class Score(_Number):
    """0–1: `0.83`."""

    plain = ".2f"


class Seconds(_Number):
    """A time: `01h02m03s`, which sorts as it should and has no colon; with a form, seconds."""

    def __format__(self, spec: str) -> str:
        if spec:
            return float.__format__(self, spec)
        hours, rest = divmod(int(self), 3600)
        return f"{hours:02d}h{rest // 60:02d}m{rest % 60:02d}s"


class _Unknown:
    def __format__(self, spec: str) -> str:
        return "unknown"


UNKNOWN = _Unknown()

# Every field, with a value of its type.
FIELDS: Mapping[str, Any] = {
    "channel": "channel",
    "date": date(2026, 1, 31),
    "rank": 1,
    "title": "title",
    "source": "stream",
    "kind": "audio",
    "score": Score(0.5),
    "stars": 5,
    "start": Seconds(61),
    "end": Seconds(91),
    "duration": Seconds(30),
    "id": 1,
}


def check_template(template: str) -> None:
    """Make sure that a template can name any clip.

    Raises:
        InputError: an unknown field, a form that does not fit its type, or a path instead of a name.
    """
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise _wrong(template, f"{error}") from None
    for text, field, form, conversion in pieces:
        if "/" in text or "\\" in text:
            raise _wrong(template, "it is a name, not a path, so it can't hold / or \\; choose the folder with --into")
        if field is None:
            continue
        # Attributes and indices ("{title.__class__}") are no fields either.
        if field not in FIELDS:
            raise _wrong(template, f"there is no field {{{field}}}, only {', '.join(FIELDS)}")
        if conversion or _WIDE.search(form or "") or "{" in (form or ""):
            raise _wrong(template, f"the form of {{{field}}} is not one that names use")
        try:
            format(FIELDS[field], form or "")
        except ValueError as error:
            raise _wrong(template, f"{form!r} is no form of {{{field}}} ({error})") from None
    if not template.strip():
        raise _wrong(template, "it is empty")


def name_from(template: str, facts: Mapping[str, Any]) -> str:
    """A file name without extension, safe on every system.

    Args:
        template: one that `check_template` took.
        facts: a value for each of `FIELDS`; `UNKNOWN` where there is none.
    """
    return safe_name(string.Formatter().vformat(template, (), facts), max_bytes=LONGEST_BYTES)


class Names:
    """Gives every file of an export a name of its own, also where upper and lower case are one."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, stem: str, suffix: str) -> str:
        """`stem` + `suffix`, or the first of `stem_2`, `stem_3` … that was not given yet."""
        name, number = f"{stem}{suffix}", 1
        while (key := unicodedata.normalize("NFC", name.casefold())) in self._taken:
            number += 1
            name = f"{stem}_{number}{suffix}"
        self._taken.add(key)
        return name


def _wrong(template: str, why: str) -> InputError:
    return InputError(f"The name {template!r} cannot be used: {why}.")
