"""Scores our highlights on labelled streams: `python -m bench accuracy DIR [--json FILE] [--no-cuts] [--folds]`.

DIR holds `<id>.truth.json` files and the media they name. The streams take the product's own path from file to
highlights. Their features are kept in the system's temporary folder, under a key of the media and of the code that
measures them, so that a change of the detection is judged in seconds. `--users clips.db` judges the scores of a user's
own rated clips instead.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines import baselines
from bench.folds import held_out
from bench.judging import IOUS, Labels, calibration, judge, recall_by_kind, scored
from bench.machine import write_json
from bench.users import judge_ratings, print_ratings, rated_clips
from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.core.progress import CancelToken, silent
from kick_clip_generator.core.records import Highlight
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

CUT_SIGNALS = ("scene_cut", "scene_strength")
SURE = 0.8


@dataclass(frozen=True, slots=True)
class Target:
    """The least that a mean over streams has to be."""

    figure: str
    least: float


TARGETS = (
    Target("ap@0.3", 0.87),
    Target("ap@0.5", 0.82),
    Target("hit@1", 1.0),
    Target("hit@5", 0.85),
    Target("hit@n", 0.78),
    Target("ends@2s", 0.70),
)
# Of the worst stream, and of all with the scene cuts hidden.
WORST_AP, AP_WITHOUT_CUTS, RIGHT_WHEN_SURE = 0.55, 0.80, 0.75


def main(argv: list[str]) -> int:
    """Print the tables; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench accuracy", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="folder of labelled streams")
    parser.add_argument("--users", type=Path, metavar="FILE", help="a clips.db; judge the scores of its rated clips")
    parser.add_argument("--mode", choices=("v2", "v1"), default="v2", help="how highlights are looked for")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--no-cuts", action="store_true", help="hide the scene cuts from the detection")
    parser.add_argument(
        "--folds", action="store_true", help="choose the settings on other recordings than they are scored on"
    )
    options = parser.parse_args(argv)
    if (options.folder is None) == (options.users is None):
        parser.error("give a folder of labelled streams, or --users FILE")
    if options.users is not None:
        return _users(parser, options)
    paths = sorted(options.folder.resolve().glob("*.truth.json"))
    if not paths:
        parser.error(f"{options.folder} holds no *.truth.json")
    try:
        labels = [Labels.read(path) for path in paths]
        timelines = {one.id: measured(one.media) for one in labels}
    except (ValueError, ClipGeneratorError) as error:
        parser.error(str(error))
    if options.no_cuts:
        timelines = {name: without_cuts(timeline) for name, timeline in timelines.items()}
    config = DetectionConfig(mode=options.mode, max_audio=MOST_PER_KIND, max_video=MOST_PER_KIND)
    found = {name: detect(timeline, config).merged for name, timeline in timelines.items()}
    figures = _figures(labels, timelines, found)
    if options.folds:
        figures["folds"] = {
            f"ap@{iou}": {"chosen": held.chosen, "shipped": held.shipped}
            for iou in IOUS
            for held in [held_out(timelines, labels, config, iou)]
        }
    _print(figures)
    write_json(options.json, figures)
    # The targets are of the mode that looks for highlights.
    return int(options.mode == "v2" and not _targets_met(figures["mean"], figures, no_cuts=options.no_cuts))


def _figures(
    labels: Sequence[Labels], timelines: Mapping[str, Timeline], found: Mapping[str, Sequence[Highlight]]
) -> dict[str, Any]:
    streams = {one.id: judge(found[one.id], one.highlights) for one in labels}
    pairs = [pair for one in labels for pair in scored(found[one.id], one.highlights)]
    sure = [right for score, right in pairs if score >= SURE]
    trivial = [baselines(timelines[one.id]) for one in labels]
    return {
        "mean": _mean(streams.values()),
        "streams": streams,
        "baselines": {
            name: _mean(judge(lists[name], one.highlights) for lists, one in zip(trivial, labels, strict=True))
            for name in trivial[0]
        },
        "recall_by_kind": recall_by_kind([(found[one.id], one) for one in labels]),
        "calibration": calibration(pairs),
        "right_when_sure": sum(sure) / len(sure) if sure else math.nan,
    }


def _mean(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Over streams, leaving out what is not known."""
    rows = list(rows)
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def _targets_met(mean: Mapping[str, float], figures: Mapping[str, Any], *, no_cuts: bool) -> bool:
    """Say which targets are met."""
    worst = min(stream["ap@0.3"] for stream in figures["streams"].values())
    rows = [("worst stream, ap@0.3", worst, WORST_AP)]
    if no_cuts:
        rows.append(("ap@0.3 without cuts", mean["ap@0.3"], AP_WITHOUT_CUTS))
    else:
        rows += [(target.figure, mean[target.figure], target.least) for target in TARGETS]
        rows.append((f"right of those scored {SURE:g} or more", figures["right_when_sure"], RIGHT_WHEN_SURE))
    for name, value, least in rows:
        sys.stdout.write(f"{name:36} {value:6.3f}  at least {least:.2f}  {'met' if value >= least else 'MISSED'}\n")
    return all(value >= least for _, value, least in rows)


def _print(figures: Mapping[str, Any]) -> None:
    out = sys.stdout
    names = list(figures["mean"])
    out.write(f"{'':24}" + "".join(f"{name:>14}" for name in names) + "\n")
    rows = {**figures["streams"], "MEAN": figures["mean"]}
    rows |= {f"({name})": row for name, row in figures["baselines"].items()}
    for name, row in rows.items():
        out.write(f"{name:24}" + "".join(f"{row[key]:14.3f}" for key in names) + "\n")
    out.write("\nfound by kind: ")
    out.write(", ".join(f"{kind} {hits}/{total}" for kind, (hits, total) in figures["recall_by_kind"].items()))
    out.write("\n\nscore     n   right\n")
    for row in figures["calibration"]:
        out.write(f"{row['from']:.1f}-{row['from'] + 0.1:.1f} {row['n']:4d}  {row['right']:6.2f}\n")
    for name, held in figures.get("folds", {}).items():
        out.write(
            f"\n{name} of labels whose recordings took no part in the choice: {held['chosen']:.3f}; "
            f"the shipped settings on the same: {held['shipped']:.3f}"
        )
    out.write("\n\n")


def _users(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if not options.users.is_file():
        parser.error(f"{options.users} is not there")
    try:
        clips = rated_clips(options.users)
    except ClipGeneratorError as error:
        parser.error(str(error))
    if not clips:
        parser.error(f"{options.users} holds no clip with stars; rate some first")
    figures = judge_ratings(clips)
    print_ratings(sys.stdout, figures)
    write_json(options.json, figures)
    return 0


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
    values[:, [timeline.names.index(name) for name in CUT_SIGNALS]] = np.nan
    return replace(timeline, values=values)


def _key(media: Path) -> str:
    digest = hashlib.sha256(f"{media} {media.stat().st_size} {media.stat().st_mtime_ns}".encode())
    for file in _sorted(path for pattern in MEASURING for path in PACKAGE.glob(pattern)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.as_posix())
