"""What this machine spends and holds: CPU seconds of children, resident memory, and the words for a table's foot."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement, and the most that it may be; infinite without a target.

    Attributes:
        name: what was measured.
        value: NaN when it could not be.
        most: the target, in the same unit.
        unit: "x" for ratios.
    """

    name: str
    value: float
    most: float = math.inf
    unit: str = ""

    @property
    def met(self) -> bool:
        """False also for an unknown value that has a target."""
        return math.isinf(self.most) or self.value <= self.most

    @property
    def verdict(self) -> str:
        return "" if math.isinf(self.most) else "met" if self.met else "MISSED"

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without what has no target or no value."""
        target = {} if math.isinf(self.most) else {"most": self.most, "met": self.met}
        return {"name": self.name, "value": None if math.isnan(self.value) else self.value, "unit": self.unit, **target}

    def shown(self, value: float) -> str:
        """A value of this figure in its unit; ratios under a half as one part of so many."""
        if self.unit == "x" and 0 < value < 0.5:
            return f"1/{1 / value:.1f}"
        return f"{value:.2f} {self.unit}".strip()


def print_figures(out: TextIO, figures: Sequence[Figure]) -> None:
    """A table of name, value, target and verdict."""
    width = max((len(figure.name) for figure in figures), default=0)
    out.write(f"{'':{width}} {'measured':>14} {'at most':>12}\n")
    for figure in figures:
        most = "" if math.isinf(figure.most) else figure.shown(figure.most)
        line = f"{figure.name:{width}} {figure.shown(figure.value):>14} {most:>12}  {figure.verdict}"
        out.write(f"{line.rstrip()}\n")


def cpu_s() -> float:
    """CPU seconds of this process so far, user and system."""
    return sum(os.times()[:2])


def ended_children_s() -> float:
    """CPU seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(command: Sequence[str], **options: Any) -> float:
    """CPU seconds of a command and of every process it waited for.

    Raises:
        subprocess.CalledProcessError: when it fails.
    """
    before_s = ended_children_s()
    subprocess.run(command, check=True, **options)
    return ended_children_s() - before_s


def resident_mib(field: str = "VmRSS") -> float:
    """Resident memory of this process in MiB; `VmHWM` is the most it ever held. NaN where there is no /proc.

    `ru_maxrss` is of no use here: a new process inherits it from the one that started it.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith(field))


def living_children() -> tuple[float, float]:
    """CPU seconds and resident MiB of the children that run now; NaN where Linux's /proc does not list them."""
    lists = list(Path("/proc/self/task").glob("*/children"))
    if not lists:
        return math.nan, math.nan
    ticks_hz, page_mib = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE") / 2**20
    used_s = resident = 0.0
    for number in "".join(_read(path) for path in lists).split():
        # Fields are counted from behind the name, which may hold spaces and parentheses; see proc(5).
        fields = _read(Path("/proc", number, "stat")).rpartition(")")[2].split()
        if fields:
            used_s += (int(fields[11]) + int(fields[12])) / ticks_hz
            resident += int(fields[21]) * page_mib
    return used_s, resident


def load() -> float:
    """Mean number of busy processes on this machine in the last minute; NaN where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan


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


def _read(path: Path) -> str:
    """A file of /proc; empty when its process or thread has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""
