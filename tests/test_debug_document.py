"""The document of a detection: complete, strict JSON, and with the keys that users script against."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.features.derived import deltas
from kick_clip_generator.features.registry import FEATURES, NAMES
from kick_clip_generator.highlights.boundaries import COMPONENTS
from kick_clip_generator.highlights.config import MODES, DetectionConfig, Mode, V1Config, V2Config
from kick_clip_generator.highlights.debug import debug_document, debug_name, summary
from kick_clip_generator.highlights.detect import segment
from kick_clip_generator.highlights.normalized import normalized
from kick_clip_generator.highlights.segmentation import Segmentation
from kick_clip_generator.highlights.signals import SIGNALS
from kick_clip_generator.pipeline.features_file import features_json
from kick_clip_generator.pipeline.structure import structure_of

KEYS = [
    *("version", "mode", "stream", "config", "feature_summary", "excitement_summary", "anchors", "boundaries"),
    *("windows", "filter_report", "merged", "final_clips", "notes"),
]
STAGES = ["score", "boring", "gap", "near_duplicate", "cap", "keep_best", "overlap"]


def noise(ticks: int, first_tick: int = 0) -> Timeline:
    """A stream where nothing happens but a cut every 20 s: each signal jitters around its level."""
    random = np.random.default_rng(7)
    floors = np.array([SIGNALS[name].floor for name in NAMES])
    values = 2 * floors * (10 + random.standard_normal((ticks, len(NAMES))))
    values[:, NAMES.index("scene_cut")] = values[:, NAMES.index("scene_strength")] = 0.0
    values[20::40, NAMES.index("scene_cut")] = values[20::40, NAMES.index("scene_strength")] = 0.8
    values[:, NAMES.index("black_ratio")] = 0.0
    return Timeline(NAMES, values.astype(np.float32), first_tick)


def excited(timeline: Timeline, *events: Span) -> Timeline:
    """The same with what tells of a highlight in some places."""
    values = timeline.values.copy()
    config = DetectionConfig()
    for event in events:
        low, high = (round((time_s - timeline.start_s) / TICK_S) for time_s in (event.start_s, event.end_s))
        for key, weight in {**config.audio_weights, **config.video_weights}.items():
            name = key.removesuffix("_mean")
            if name in NAMES:
                values[low:high, NAMES.index(name)] += 8 * SIGNALS[name].floor * np.sign(weight)
    return replace(timeline, values=values)


def lively(first_tick: int = 0) -> Timeline:
    start_s = first_tick * TICK_S
    spans = [Span(start_s + at, start_s + at + 8) for at in (60, 85, 200, 330, 345, 480)]
    return excited(noise(1200, first_tick), *spans)


def strict(document: Any) -> Any:
    """As it comes back from a file that any JSON reader takes."""
    text = json.dumps(document, allow_nan=False)
    read = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert read == document
    return read


def run(timeline: Timeline, **changes: Any) -> tuple[dict[str, Any], Segmentation]:
    segmentation = segment(timeline, DetectionConfig(**changes))
    return strict(debug_document(segmentation, timeline)), segmentation


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first_tick", [0, 720])
def test_it_tells_all_that_was_found(mode: Mode, first_tick: int) -> None:
    timeline = lively(first_tick)
    document, segmentation = run(timeline, mode=mode)
    assert list(document) == KEYS
    assert document["mode"] == mode
    assert document["stream"] == {
        "start_sec": first_tick / 2,
        "end_sec": first_tick / 2 + 600,
        "step_sec": 0.5,
        "ticks": 1200,
    }
    assert len(document["anchors"]) == len(segmentation.anchors) > 5
    for anchor in document["anchors"]:
        assert {"time_sec", "score", "kind", "reason", "reasons", "event_start", "event_end"} == set(anchor)
        assert anchor["event_start"] <= anchor["time_sec"] <= anchor["event_end"]
        assert sum(part["contribution"] for part in anchor["reasons"]) == pytest.approx(anchor["score"], abs=1e-5)
    assert [window["clip_index"] for window in document["windows"]] == list(range(len(segmentation.proposals)))
    for window, proposal in zip(document["windows"], segmentation.proposals, strict=True):
        assert (window["start"], window["end"]) == (proposal.highlight.clip.start_s, proposal.highlight.clip.end_s)
        assert window["score"] == pytest.approx(proposal.highlight.score, abs=1e-6)
        assert window["anchor"] in {anchor["time_sec"] for anchor in document["anchors"]}
        assert {"excitement", "boundary", "narrative", "dead_time", "boost", "total"} <= set(window["quality"])
        mean = (window["start_boundary_score"] + window["end_boundary_score"]) / 2
        assert window["quality"]["boundary"] == pytest.approx(mean, abs=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_final_clips_are_what_the_detection_gives(mode: Mode) -> None:
    document, segmentation = run(lively(), mode=mode)
    assert len(document["final_clips"]) > 2
    told = [
        {key: value for key, value in clip.items() if key not in ("clip_index", "quality")}
        for clip in document["final_clips"]
    ]
    assert told == [highlight.to_dict() for highlight in segmentation.detection.merged]
    windows = {window["clip_index"]: window for window in document["windows"]}
    for clip in document["final_clips"]:
        window = windows[clip["clip_index"]]
        assert (clip["start"], clip["end"], clip["quality"]) == (window["start"], window["end"], window["quality"])


def test_every_decision_of_every_filter_is_there() -> None:
    # Long clips overlap, and two audio highlights are fewer than there are.
    document, segmentation = run(lively(), clip_duration_s=60.0, max_audio=4, max_video=4, min_gap_s=3.0)
    report = document["filter_report"]
    assert sorted(report) == sorted(STAGES)
    told = [(stage, entry) for stage, entries in report.items() for entry in entries]
    assert len(told) == len(segmentation.decisions)
    for decision in segmentation.decisions:
        entry = {"clip_index": decision.clip_index, "action": decision.action, "reason": decision.reason}
        assert (decision.stage, entry) in told
    assert {entry["action"] for _, entry in told} >= {"keep", "drop_score", "drop_cap", "drop_overlap"}
    for entry in report["overlap"]:
        assert entry["action"] in ("keep", "drop_overlap") and entry["reason"]
    # Whatever was neither shown nor dropped would have vanished without a word.
    dropped = {entry["clip_index"] for _, entry in told if entry["action"] != "keep"}
    shown = {entry["clip_index"] for entry in report["overlap"] if entry["action"] == "keep"}
    assert shown == {clip["clip_index"] for clip in document["final_clips"]}
    merged = {entry["clip_index"] for entry in document["merged"]}
    assert merged and all(
        entry["into"] in {one["clip_index"] for one in report["overlap"]} for entry in document["merged"]
    )
    assert sorted([*dropped, *shown, *merged]) == [window["clip_index"] for window in document["windows"]]


def test_every_parameter_stands_under_its_name() -> None:
    config = DetectionConfig(v2=V2Config(pre_max=13.0, overlap_iou_threshold=0.4), v1=V1Config(scene_threshold=0.2))
    timeline = lively()
    told = strict(debug_document(segment(timeline, config), timeline))["config"]
    names = {part.name for kind in (DetectionConfig, V2Config, V1Config) for part in fields(kind)} - {"v1", "v2"}
    assert set(told) == names
    assert (told["step_sec"], told["pre_max"], told["overlap_iou_threshold"]) == (0.5, 13.0, 0.4)
    assert told["scene_threshold"] == 0.2
    assert told["audio_weights"] == dict(config.audio_weights)


def test_boundaries_come_with_what_made_them() -> None:
    timeline = lively()
    values = timeline.values.copy()
    values[:, NAMES.index("black_ratio")] = np.nan
    document, segmentation = run(replace(timeline, values=values))
    assert segmentation.boundaries is not None
    least = segmentation.config.v2.boundary_min_score
    assert len(document["boundaries"]) >= 30
    for boundary in document["boundaries"]:
        assert set(boundary) == {"time_sec", "score", *COMPONENTS}
        assert boundary["fade"] is None
        assert least - 1e-4 <= boundary["score"] <= 1
        assert all(0 <= boundary[name] <= 1 for name in COMPONENTS if boundary[name] is not None)
    # A cut in the tick of 10.0–10.5 s: what it bounds begins with the next.
    cuts = {boundary["time_sec"] for boundary in document["boundaries"] if boundary["scene"] == 0.8}
    assert len({10.5 + 20 * n for n in range(30)} - cuts) <= 3


def quiet(ticks: int) -> Timeline:
    values = np.zeros((ticks, len(NAMES)), np.float32)
    values[:, NAMES.index("rms_db")] = -100
    return Timeline(NAMES, values)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "timeline",
    [Timeline.unknown(NAMES, 0, 0), Timeline.unknown(NAMES, 0, 600), quiet(600), quiet(6), noise(6), noise(1)],
    ids=["empty", "all NaN", "quiet", "quiet, 3 s", "3 s", "one tick"],
)
def test_where_there_is_little_to_tell(timeline: Timeline, mode: Mode) -> None:
    document, segmentation = run(timeline, mode=mode)
    assert list(document) == KEYS
    assert sorted(document["filter_report"]) == sorted(STAGES)
    assert len(document["final_clips"]) == len(segmentation.detection.merged)
    assert document["final_clips"] or document["notes"]


def test_a_summary_counts_what_is_known_and_never_says_nan() -> None:
    values = np.array([np.nan, 1, 2, 4, np.inf, 9], np.float32)
    assert summary(values) == {"known": 0.6667, "median": 3.0, "mad": 1.5, "min": 1.0, "max": 9.0}
    assert summary(values[:1]) == {"known": 0.0, "median": None, "mad": None, "min": None, "max": None}


def test_the_name_says_the_mode() -> None:
    assert [debug_name(mode) for mode in MODES] == ["segmentation_v2_debug.json", "segmentation_v1_debug.json"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_ten_hours_stay_small(mode: Mode) -> None:
    document, _ = run(noise(72_000), mode=mode)
    assert len(json.dumps(document, indent=2)) < 20e6


def test_features_can_be_plotted() -> None:
    timeline = lively(first_tick=720)
    timeline.values[:20, NAMES.index("rms_db")] = np.nan
    document = strict(json.loads("".join(features_json(timeline))))
    assert (document["step_sec"], document["start_sec"], document["ticks"]) == (0.5, 360.0, 1200)
    assert [signal["name"] for signal in document["signals"]] == list(NAMES)
    meanings = {feature.name: (feature.unit, feature.meaning) for feature in FEATURES}
    assert all((signal["unit"], signal["meaning"]) == meanings[signal["name"]] for signal in document["signals"])
    z = normalized(timeline)
    for name in NAMES:
        raw, told = timeline.column(name), np.array(document["values"][name], np.float64)
        np.testing.assert_allclose(told, raw, atol=1e-4 * max(np.nanmax(np.abs(raw)), 0.1))
        np.testing.assert_allclose(np.array(document["normalized"][name], np.float64), z.column(name), atol=0.0051)
    assert document["values"]["rms_db"][:21].count(None) == 20
    assert set(document["deltas"]) == {f"mfcc_{n}" for n in range(1, 14)}
    slope = np.array(document["deltas"]["mfcc_1"], np.float64)
    np.testing.assert_allclose(slope, deltas(timeline.column("mfcc_1")), atol=1e-3)


def test_structure_lies_where_it_is_in_the_stream() -> None:
    timeline = noise(400)
    values = timeline.values.copy()
    for name, calm in (("rms_db", -20.0), ("scene_strength", 0.02), ("black_ratio", 0.0), ("picture_change", 5.0)):
        values[:, NAMES.index(name)] = calm
    values[100:140, NAMES.index("rms_db")] = -70.0
    values[200:202, NAMES.index("rms_db")] = -40.0
    values[300, NAMES.index("rms_db")] = -5.0
    values[50, NAMES.index("scene_strength")] = 0.6
    values[60:64, NAMES.index("black_ratio")] = 1.0
    values[80:90, NAMES.index("picture_change")] = 0.1
    found = structure_of(replace(timeline, values=values, first_tick=1000))
    assert found["silences"] == [[550.0, 570.0]]
    assert found["audio_dips"] == [[600.0, 601.0]]
    # The level between the silence and the dip is one too: its middle.
    assert found["loudness_peaks"] == [584.75, 650.25]
    assert found["cuts"] == [525.25]
    assert found["black"] == [[530.0, 532.0]]
    assert found["freezes"] == [[539.5, 545.0]]
    nothing = structure_of(Timeline.unknown(NAMES, 0, 40))
    assert not any(nothing.values())


def test_features_of_nothing_are_a_document_too() -> None:
    document = strict(json.loads("".join(features_json(Timeline.unknown(NAMES, 0, 0)))))
    assert document["ticks"] == 0 and set(document["values"]) == set(document["normalized"]) == set(NAMES)
