"""What the chats beside labelled streams are worth: the same figures without a chat, with it, and by the chat alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from bench.judging import Labels, judge
from kick_clip_generator.core.settings import load_settings
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights.detect import DetectionConfig, detect
from kick_clip_generator.pipeline.analyze import beside
from kick_clip_generator.pipeline.chat import chat_columns, read_chat

SHOWN = ("ap@0.3", "ap@0.5", "hit@1", "hit@5", "hit@n", "ends@2s")
DRAWS = 10_000


def with_chat(timeline: Timeline, path: Path, lag_s: float) -> Timeline:
    """The same signals and those of a chat; without them where there is none, or it says nothing."""
    if not path.is_file():
        return timeline
    columns, _ = chat_columns(read_chat(path)[0], timeline, lag_s=lag_s)
    return timeline if columns is None else beside(timeline, columns)


def chat_figures(
    folder: Path, labels: Sequence[Labels], timelines: Mapping[str, Timeline], config: DetectionConfig
) -> dict[str, Any]:
    """Per stream and as the mean: without the chat, with it, and by the chat alone.

    Args:
        folder: holds `<id>.chat.jsonl` for each stream that has a chat.
        labels, timelines: of the streams.
        config: how highlights are looked for.
    """
    lag_s = load_settings().chat_lag
    joined = {one.id: with_chat(timelines[one.id], folder / f"{one.id}.chat.jsonl", lag_s) for one in labels}
    # Its ranking, whatever is listed.
    alone = replace(config, max_audio=0, max_video=0, min_chat_score=0.0)
    runs = {
        "without": (timelines, config),
        "with": (joined, config),
        "alone": (joined, alone),
    }
    streams = {
        name: {one.id: judge(detect(source[one.id], how).merged, one.highlights) for one in labels}
        for name, (source, how) in runs.items()
    }
    gains = np.array([streams["with"][one.id]["ap@0.3"] - streams["without"][one.id]["ap@0.3"] for one in labels])
    # Paired bootstrap over streams.
    draws = np.random.default_rng(0).integers(0, len(gains), (DRAWS, len(gains)))
    low, high = np.quantile(gains[draws].mean(axis=1), [0.05, 0.95])
    return {
        "streams": streams,
        "mean": {
            name: {figure: float(np.nanmean([row[figure] for row in rows.values()])) for figure in SHOWN}
            for name, rows in streams.items()
        },
        "gain": {"mean": float(gains.mean()), "low": float(low), "high": float(high), "helped": int((gains > 0).sum())},
    }


def print_chat(out: TextIO, figures: Mapping[str, Any]) -> None:
    """The table, where the chats were asked for."""
    if "chat" not in figures:
        return
    chat = figures["chat"]
    out.write(f"{'with the chat':24}" + "".join(f"{name:>10}" for name in SHOWN) + "\n")
    for name, row in chat["mean"].items():
        out.write(f"{name:24}" + "".join(f"{row[figure]:10.3f}" for figure in SHOWN) + "\n")
    streams = chat["streams"]
    for name in streams["with"]:
        values = " ".join(f"{run} {rows[name]['ap@0.3']:.3f} " for run, rows in streams.items())
        out.write(f"  {name:22}ap@0.3: {values}\n")
    gain = chat["gain"]
    out.write(
        f"gain in ap@0.3 {gain['mean']:+.3f} (90 % of draws {gain['low']:+.3f} to {gain['high']:+.3f}), "
        f"{gain['helped']} of {len(streams['with'])} streams better\n\n"
    )
