"""Start the Kick Clip Generator: `python main.py --help`."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

from kick_clip_generator.cli.main import main

SHEET = Path(__file__).with_name("config.py")


def overrides_in_sheet() -> dict[str, Any]:
    """The upper-case names of `config.py`, which lies beside this file and may be missing."""
    if not SHEET.exists():
        return {}
    names: dict[str, Any] = {}
    exec(compile(SHEET.read_text(encoding="utf-8"), str(SHEET), "exec"), names)
    return {key: value for key, value in names.items() if key.isupper()}


if __name__ == "__main__":
    code = main(sys.argv[1:], read_overrides=overrides_in_sheet)
    # The interpreter's last searches for cycles go through all that Gradio made: the server was there for 2 s more,
    # without them for 1.
    gc.disable()
    gc.freeze()
    sys.exit(code)
