"""Scores our highlights on labelled streams: `python -m bench accuracy DIR [--json FILE] [--no-cuts] [--folds]`.

DIR holds `<id>.truth.json` files and the media they name. The streams take the product's own path from file to
highlights. Their features are kept in the system's temporary folder, under a key of the media and of the code that
measures them, so that a change of the detection is judged in seconds. `--users clips.db` judges the scores of a user's
own rated clips instead.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines import baselines
from bench.candidates import FAMILIES
from bench.chat import chat_figures, print_chat
from bench.folds import DRAWS, Folds, Rankings
from bench.judging import Labels, calibration, judge, judge_ranking, judged, recall_by_kind, right_from
from bench.machine import write_json
from bench.users import judge_ratings, print_ratings, rated_clips
from kick_clip_generator.core.errors import ClipGeneratorError
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
# Settings that have to meet them; who chooses blind to the shipped ones knows less than we do, which is told alone.
REQUIRED = {"shipped", "near"}


def main(argv: list[str]) -> int:
    """Print the tables; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench accuracy", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="folder of labelled streams")
    parser.add_argument("--users", type=Path, metavar="FILE", help="a clips.db; judge the scores of its rated clips")
    parser.add_argument("--mode", choices=("v2", "v1"), default="v2", help="how highlights are looked for")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--no-cuts", action="store_true", help="hide the scene cuts from the detection")
    parser.add_argument(
        "--folds",
        action="store_true",
        help="also with settings chosen on other streams and recordings than they are scored on; takes minutes",
    )
    parser.add_argument(
        "--chat", action="store_true", help="also with the chats that lie beside the streams, `<id>.chat.jsonl`"
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
    found = {one.id: judged(detect(timelines[one.id], config).merged, one.highlights) for one in labels}
    figures = {**_figures(labels, [found]), "baselines": _baselines(labels, timelines)}
    if options.folds:
        folds = Folds(timelines, labels, config)
        figures["folds"] = {
            family: _figures(labels, [folds.drawn(family, draw, _said) for draw in range(DRAWS)]) for family in FAMILIES
        }
    if options.chat:
        figures["chat"] = chat_figures(options.folder, labels, timelines, config)
    _print(figures)
    print_chat(sys.stdout, figures)
    write_json(options.json, figures)
    # The targets are of the mode that looks for highlights.
    return int(options.mode == "v2" and not _targets_met(figures, no_cuts=options.no_cuts))


def _figures(labels: Sequence[Labels], draws: Sequence[Rankings]) -> dict[str, Any]:
    """Means over the draws, of which there may be just one."""
    streams = {one.id: _mean(judge_ranking(rankings[one.id], one.highlights) for rankings in draws) for one in labels}
    pooled = [one for rankings in draws for ranking in rankings.values() for one in ranking]
    recalls = [recall_by_kind([(rankings[one.id], one) for one in labels]) for rankings in draws]
    return {
        "mean": _mean(streams.values()),
        "streams": streams,
        "recall_by_kind": {
            kind: (sum(recall[kind][0] for recall in recalls) / len(draws), total)
            for kind, (_, total) in recalls[0].items()
        },
        "calibration": calibration(
            [(one.found.score, one.right) for one in pooled], [one.weight / len(draws) for one in pooled]
        ),
        "right_when_sure": right_from(pooled, SURE),
    }


def _baselines(labels: Sequence[Labels], timelines: Mapping[str, Timeline]) -> dict[str, dict[str, float]]:
    trivial = [baselines(timelines[one.id]) for one in labels]
    return {
        name: _mean(judge(lists[name], one.highlights) for lists, one in zip(trivial, labels, strict=True))
        for name in trivial[0]
    }


def _mean(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure, leaving out what is not known."""
    rows = list(rows)
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def _targets_met(figures: Mapping[str, Any], *, no_cuts: bool) -> bool:
    """Say which targets are met, with the shipped settings and with those chosen near them on other recordings."""
    folds = figures.get("folds", {})
    columns = {name: _against_targets(one, no_cuts=no_cuts) for name, one in {"shipped": figures, **folds}.items()}
    if folds:
        sys.stdout.write(f"{'':36}" + "".join(f"{name:>8}" for name in columns) + "\n")
    met = True
    for rows in zip(*columns.values(), strict=True):
        name, _, least = rows[0]
        short = [column for column, (_, value, _) in zip(columns, rows, strict=True) if not value >= least]
        met &= not set(short) & REQUIRED
        values = "".join(f"{value:8.3f}" for _, value, _ in rows)
        verdict = "MISSED" + (f" ({', '.join(short)})" if folds else "") if short else "met"
        sys.stdout.write(f"{name:36}{values}  at least {least:.2f}  {verdict}\n")
    return met


def _against_targets(figures: Mapping[str, Any], *, no_cuts: bool) -> list[tuple[str, float, float]]:
    """Name, value and least of each target."""
    mean = figures["mean"]
    rows = [("worst stream, ap@0.3", min(stream["ap@0.3"] for stream in figures["streams"].values()), WORST_AP)]
    if no_cuts:
        return [*rows, ("ap@0.3 without cuts", mean["ap@0.3"], AP_WITHOUT_CUTS)]
    rows += [(target.figure, mean[target.figure], target.least) for target in TARGETS]
    return [*rows, (f"right of those scored {SURE:g} or more", figures["right_when_sure"], RIGHT_WHEN_SURE)]


def _print(figures: Mapping[str, Any]) -> None:
    out = sys.stdout
    names = list(figures["mean"])
    out.write(f"{'':24}" + "".join(f"{name:>14}" for name in names) + "\n")
    rows = {**figures["streams"], "MEAN": figures["mean"]}
    rows |= {f"({name})": row for name, row in figures["baselines"].items()}
    for name, row in rows.items():
        out.write(f"{name:24}" + "".join(f"{row[key]:14.3f}" for key in names) + "\n")
    _print_scores(figures)
    for family, held in figures.get("folds", {}).items():
        out.write(f"\nChosen on other streams and recordings, {family} settings (docs/decisions/0015): ap@0.3 ")
        out.write(" ".join(f"{row['ap@0.3']:.3f}" for row in held["streams"].values()) + "\n")
        _print_scores(held)
    out.write("\n")


def _print_scores(figures: Mapping[str, Any]) -> None:
    out = sys.stdout
    out.write("\nfound by kind: ")
    out.write(", ".join(f"{kind} {hits:g}/{total}" for kind, (hits, total) in figures["recall_by_kind"].items()))
    out.write("\n\nscore       n   right\n")
    for row in figures["calibration"]:
        out.write(f"{row['from']:.1f}-{row['from'] + 0.1:.1f} {row['n']:6.1f}  {row['right']:6.2f}\n")


def _said(words: str) -> None:
    sys.stderr.write(f"{words}\n")


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
