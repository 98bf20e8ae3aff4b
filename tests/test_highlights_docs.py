"""`docs/highlights.md` tells of every parameter, and its defaults are those of the code."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

from kick_clip_generator.core.kinds import MEDIA
from kick_clip_generator.highlights.config import DetectionConfig, V1Config, V2Config
from kick_clip_generator.highlights.filters import Stage

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "highlights.md").read_text(encoding="utf-8")

# Said in words: the grid, the modes, and what is no number.
IN_WORDS = {"step_sec", "mode", "keep_best", "v1", "v2", *(f"{medium}_weights" for medium in MEDIA)}


def told() -> Iterator[tuple[str, str]]:
    """Each name of a table row with its default."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3 and cells[0].startswith("`"):
            names, default = cells[0], cells[1]
        elif len(cells) == 4 and cells[2].startswith("`"):
            names, default = cells[2], cells[3]
        else:
            continue
        for name in re.findall(r"`([\w.]+)`", names):
            yield name, default


def defaults() -> dict[str, object]:
    parts = (DetectionConfig(), V2Config(), V1Config())
    return {one.name: getattr(part, one.name) for part in parts for one in fields(part)}


def test_every_parameter_has_a_row_and_its_default() -> None:
    rows = dict(told())
    known = defaults()
    assert {name for name in rows if "." not in name} == set(known) - IN_WORDS
    for name, default in rows.items():
        if "." in name:
            module, _, constant = name.partition(".")
            value = getattr(importlib.import_module(f"kick_clip_generator.highlights.{module}"), constant)
        else:
            value = known[name]
        assert default == ("none" if value is None else f"{value:g}"), f"{name} is {value} in the code"


def test_every_filter_is_told_of() -> None:
    section = PAGE.partition("## 9.")[2].partition("## 10.")[0]
    stages = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(stages) == sorted(get_args(Stage))
