"""`main.py config`: the settings sheet `config.py` and `.env.example`, generated from `core/settings.py`.

Each setting is written with its meaning, unit and range. What the user changed in `config.py` is kept when the sheet is
written anew, so that an update brings new settings without losing old choices.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings

NAME = "config"
HELP = "show the settings sheet, or write it anew (config.py, .env.example)"

ROOT = Path(__file__).resolve().parents[2]

SHEET_HEAD = '''\
"""Your settings. Change a value and save; `python main.py config --write` renews the sheet and keeps your changes.

An environment variable of the same name, or a line in `.env`, is stronger than a value here.
"""
'''
ENV_HEAD = """\
# Copy this file to .env and take the # off a line to change that setting. Stronger than config.py; a variable of the
# environment is stronger still. Generated: python main.py config --write
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", action="store_true", help="write config.py and .env.example beside main.py")
    parser.add_argument("--defaults", action="store_true", help="forget what was changed in config.py")
    parser.add_argument("--check", action="store_true", help="exit with 1 when the files are not up to date")


def run(args: argparse.Namespace, settings: Settings) -> int:
    sheet, env_example = ROOT / "config.py", ROOT / ".env.example"
    changes = {} if args.defaults or not sheet.exists() else changes_in(sheet)
    wanted = {sheet: render_sheet(changes), env_example: render_env_example()}
    if args.check:
        stale = [path.name for path, text in wanted.items() if not path.exists() or _text(path) != text]
        if stale:
            raise InputError(f"{' and '.join(stale)} not up to date; run: python main.py config --write")
        return 0
    if not args.write:
        sys.stdout.write(wanted[sheet])
        return 0
    for path, text in wanted.items():
        try:
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}); check its rights.") from error
    return 0


def changes_in(sheet: Path) -> dict[str, Any]:
    """Values of a sheet that differ from the defaults, by name in upper case.

    Raises:
        InputError: when the sheet holds something else than `NAME = value` lines for settings, as that would be lost.
    """
    changes: dict[str, Any] = {}
    for statement in ast.parse(_text(sheet), str(sheet)).body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        try:
            name, value = _assignment(statement)
        except ValueError:
            where = f"{sheet.name} line {statement.lineno}"
            raise InputError(
                f"{where} is not a plain NAME = value line of a setting and would be lost; move it."
            ) from None
        default = _literal(Settings.model_fields[name.lower()].default)
        if _literal(value) != default:
            changes[name] = value
    return changes


def render_sheet(changes: Mapping[str, Any] | None = None) -> str:
    """`config.py` with every default written out, and `changes` (names in upper case) in their place."""
    lines = [SHEET_HEAD]
    for section, names in sections().items():
        lines.append(f"\n# {section}\n# {'-' * len(section)}\n")
        for name in names:
            field = Settings.model_fields[name]
            value = (changes or {}).get(name.upper(), field.default)
            lines.append(f"\n# {explained(field)}\n{name.upper()} = {_literal(value)}\n")
    return "".join(lines)


def render_env_example() -> str:
    """`.env.example` with every default, commented out."""
    lines = [ENV_HEAD]
    for section, names in sections().items():
        lines.append(f"\n# {section}\n# {'-' * len(section)}\n")
        for name in names:
            field = Settings.model_fields[name]
            value = _in_environment(name, field.default)
            lines.append(f"\n# {explained(field)}\n# {name.upper()}={value}\n")
    return "".join(lines)


def sections() -> dict[str, list[str]]:
    """Names of all settings under the comments that group them in the source of `Settings`."""
    grouped: dict[str, list[str]] = {}
    section = "Settings"
    for line in inspect.getsource(Settings).splitlines():
        if comment := re.match(r"    # (.+)", line):
            section = comment[1]
        elif (field := re.match(r"    (\w+): ", line)) and field[1] in Settings.model_fields:
            grouped.setdefault(section, []).append(field[1])
    return grouped


def explained(field: FieldInfo) -> str:
    """A setting's meaning and range in one line."""
    text = field.description or ""
    if get_origin(field.annotation) is Literal:
        return f"{text} One of {', '.join(map(str, get_args(field.annotation)))}."
    limits: dict[str, float] = {}
    for constraint in field.metadata:
        limits |= {name: getattr(constraint, name) for name in ("ge", "gt", "le") if hasattr(constraint, name)}
    if "le" not in limits or "One of" in text:
        return text
    low = f"{limits['ge']:g}" if "ge" in limits else f"More than {limits['gt']:g}"
    return f"{text} {low} to {limits['le']:.10g}."


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    """Raises:
    ValueError: when it is not a setting's name and a literal.
    """
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if (
            name.isupper() and name.lower() in Settings.model_fields
        ):
            return name, ast.literal_eval(value)
    raise ValueError


def _literal(value: Any) -> str:
    """A value as Python source, the way ruff would format it."""
    if isinstance(value, Path):
        value = value.as_posix()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # a Python literal too, in the double quotes of the sheet
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list | tuple):
        return "[\n" + "".join(f"    {_literal(part)},\n" for part in value) + "]" if value else "[]"
    return repr(value)


def _in_environment(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        value = ("|" if name == "user_agents" else ",").join(value)
    text = value if isinstance(value, str) else _literal(value).strip('"')
    return f'"{text}"' if " " in text else text


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
