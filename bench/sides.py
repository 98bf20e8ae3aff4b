"""The sides that every comparison has, each in a process of its own: a bare decode, and our whole analysis."""

from __future__ import annotations

import compileall
import functools
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.machine import cpu_of

ROOT = Path(__file__).resolve().parent.parent


def bare_decode(ffmpeg: str, media: Path, duration_s: float | None = None) -> float:
    """CPU seconds of decoding the picture at one thread and the sound to 16 kHz mono, in one process.

    Args:
        ffmpeg: the binary.
        media: a file.
        duration_s: so much of it; None for all.
    """
    length = [] if duration_s is None else ["-t", str(duration_s)]
    picture = ["-map", "0:v:0", "-f", "null", "-"]
    sound = ["-map", "0:a:0", "-ac", "1", "-ar", "16000", "-f", "null", "-"]
    return cpu_of([ffmpeg, "-v", "error", "-nostdin", "-threads", "1", *length, "-i", str(media), *picture, *sound])


def analysis(source: str, folder: Path, settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Figures of `bench.one_analysis` with a library of its own, `all_s` (CPU) and `wall_s` of the whole process.

    Args:
        source: a path or a URL.
        folder: for its files.
        settings: as variables of the environment.
    """
    environment = {"ALLOWED_PRIVATE_HOSTS": "127.0.0.1", **(settings or {})}
    return in_child("bench.one_analysis", [source], folder, environment)


def in_child(module: str, arguments: Sequence[str], folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run a module that prints one line of JSON, in an empty folder below `folder`; its figures, `all_s`, `wall_s`.

    Modules are compiled before, as those of any installed program are.
    """
    _compile()
    with tempfile.TemporaryDirectory(dir=folder) as home:
        result = Path(home) / "figures.json"
        began_s = time.monotonic()
        with result.open("w") as target:
            all_s = cpu_of(
                [sys.executable, "-m", module, *arguments],
                cwd=home,
                env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""} | environment,
                stdout=target,
            )
        wall_s = time.monotonic() - began_s
        return {"all_s": all_s, "wall_s": wall_s, **json.loads(result.read_text())}


@functools.cache
def _compile() -> None:
    for package in ("kick_clip_generator", "bench"):
        compileall.compile_dir(ROOT / package, quiet=1)
