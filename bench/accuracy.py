"""Scores our highlights on labelled streams: `python -m bench accuracy DIR [--json FILE] [--no-cuts]`.

DIR holds `<id>.mp4` and `<id>.truth.json`; the table is printed by the `score.py` in the folder above it. The streams
take the product's own path from file to highlights. Their features are kept in the system's temporary folder, under a
key of the media and of the code that measures them, so that a change of the detection is judged in seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from kick_clip_generator.core.progress import CancelToken, silent
from kick_clip_generator.core.settings import load_settings
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.detect import MOST_PER_KIND, DetectionConfig, detect
from kick_clip_generator.pipeline.analyze import analyze, analyzed_span
from kick_clip_generator.sources.resolve import resolve

CACHE = Path(tempfile.gettempdir()) / "kick_clip_generator_bench"

# The code that decides what the features of a file are.
PACKAGE = Path(__file__).parent.parent / "kick_clip_generator"
MEASURING = ("features/*.py", "media/*.py", "pipeline/ticks.py")


def main(argv: list[str]) -> int:
    """Print the table of `score.py`; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench accuracy", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of labelled streams")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--no-cuts", action="store_true", help="hide the scene cuts from the detection")
    options = parser.parse_args(argv)
    folder = options.folder.resolve()
    judge = folder.parent / "score.py"
    truths = sorted(folder.glob("*.truth.json"))
    if not truths or not judge.is_file():
        parser.error(f"{folder} holds no *.truth.json, or there is no {judge}")

    config = DetectionConfig(max_audio=MOST_PER_KIND, max_video=MOST_PER_KIND)
    with tempfile.TemporaryDirectory() as name:
        predictions = Path(name)
        for path in truths:
            truth = json.loads(path.read_text(encoding="utf-8"))
            timeline = measured(folder / truth["file"])
            if options.no_cuts:
                timeline = without_cuts(timeline)
            found = detect(timeline, config).merged
            target = predictions / f"{truth['id']}.json"
            target.write_text(json.dumps([highlight.to_dict() for highlight in found]), encoding="utf-8")
        command = [sys.executable, str(judge), "--truth", str(folder), "--pred", str(predictions)]
        if options.json:
            command += ["--json", str(options.json.resolve())]
        return subprocess.run(command, check=False).returncode


def measured(media: Path) -> Timeline:
    """Features of a file, from the cache when neither the file nor the measuring code has changed."""
    kept = CACHE / f"{media.stem}.{_key(media)}.npz"
    if kept.is_file():
        with np.load(kept) as arrays:
            return Timeline(NAMES, arrays["values"], int(arrays["first_tick"]))
    CACHE.mkdir(parents=True, exist_ok=True)
    settings = load_settings({"temp_dir": CACHE / "chunks"})
    source = resolve(str(media), settings)
    span, _ = analyzed_span(source, None, settings)
    timeline = analyze(
        source,
        span,
        settings=settings,
        config=DetectionConfig(),
        scorer=None,
        finished=lambda _: {},
        on_window=lambda *_: None,
        progress=silent,
        cancel=CancelToken(),
    ).timeline
    part = kept.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(part, values=timeline.values, first_tick=timeline.first_tick)
    part.replace(kept)
    return timeline


def without_cuts(timeline: Timeline) -> Timeline:
    """The same features with the scene cuts unknown."""
    values = timeline.values.copy()
    values[:, timeline.names.index("scene_cut")] = np.nan
    return replace(timeline, values=values)


def _key(media: Path) -> str:
    digest = hashlib.sha256(f"{media} {media.stat().st_size} {media.stat().st_mtime_ns}".encode())
    for file in _sorted(path for pattern in MEASURING for path in PACKAGE.glob(pattern)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.as_posix())
