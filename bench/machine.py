"""What this machine spends and holds: CPU seconds of children, resident memory, and the words for a table's foot."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def cpu_s() -> float:
    """CPU seconds of this process so far, user and system."""
    return sum(os.times()[:2])


def cpu_of(command: Sequence[str], **options: Any) -> float:
    """CPU seconds of a command and of every process it waited for.

    Raises:
        subprocess.CalledProcessError: when it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def resident_mib(field: str = "VmRSS") -> float:
    """Resident memory of this process in MiB; `VmHWM` is the most it ever held. NaN where there is no /proc.

    `ru_maxrss` is of no use here: a new process inherits it from the one that started it.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith(field))


def describe(ffmpeg: str) -> str:
    """Processor, Python, numpy and ffmpeg in one line."""
    import numpy as np

    cpuinfo = Path("/proc/cpuinfo")
    models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line] if cpuinfo.exists() else []
    processor = models[0].partition(":")[2].strip() if models else platform.processor()
    banner = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True).stdout
    version = " ".join(banner.split()[:3])
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}, {version}"


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write a benchmark's figures for programs; nothing without a path."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
