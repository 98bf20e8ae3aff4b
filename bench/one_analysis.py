"""One analysis in a process of its own, as a script of a user runs it: `python -m bench.one_analysis URL`.

Prints one line of JSON: CPU seconds and memory after the imports and at the first window, memory as the stream went
by, highlights found.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from bench.machine import cpu_s, ended_children_s, living_children, resident_mib
from kick_clip_generator.core.memory import settle_memory
from kick_clip_generator.core.progress import Progress


def analyze_once(url: str) -> None:
    """Analyse `url` with the settings of the environment."""
    settle_memory()  # before the heavy imports, as the command line does
    from kick_clip_generator.generator import KickClipGenerator

    figures: dict[str, Any] = {"imported_cpu_s": cpu_s(), "imported_mib": resident_mib()}
    memory: list[tuple[float, float, float]] = []
    decoders_mib: list[float] = []

    def remember(progress: Progress) -> None:
        if progress.step == "analyze" and progress.done:
            memory.append((progress.stream_s, resident_mib(), resident_mib("VmHWM")))
            children_s, children_mib = living_children()
            decoders_mib.append(children_mib)
            figures.setdefault("first_window_cpu_s", cpu_s() + ended_children_s() + children_s)

    audio, video = KickClipGenerator(progress=remember).process_stream(url)
    figures |= {
        "own_cpu_s": cpu_s(),
        "peak_mib": resident_mib("VmHWM"),
        "memory": memory,
        "decoders_mib": max(decoders_mib),
        "highlights": len(audio) + len(video),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    analyze_once(sys.argv[1])
