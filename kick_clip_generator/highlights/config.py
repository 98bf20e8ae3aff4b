"""Every parameter of detection, frozen and checked, under the names that users of such tools know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.highlights.media import ABOUT, MEDIA, Medium
from kick_clip_generator.highlights.signals import checked_weights

Mode = Literal["v2", "v1"]
MODES: tuple[Mode, ...] = get_args(Mode)

MOST_PER_KIND = 25

# Beside a `heuristic_weight` of 0.6.
USUAL_ML_WEIGHT = 0.4


@dataclass(frozen=True, slots=True)
class V2Config:
    """Stages of the highlight-aware mode.

    Attributes:
        anchor_suppression_window_sec: of two peaks of a kind nearer than this, the weaker is no anchor.
        pre_max, pre_min, pre_fallback: a clip starts this long before its anchor: searched between `pre_max` and
            `pre_min`, and at `pre_fallback` where there is no boundary. Never inside the event.
        post_min, post_max, post_fallback: the same behind the anchor.
        boundary_w_scene, boundary_w_audio_dip, boundary_w_fade, boundary_w_motion_valley, boundary_w_pause,
            boundary_w_sentence_end: shares of what makes a tick a good place to cut; what is not known has none.
        boundary_spacing_sec, boundary_spacing_penalty: a tick nearer than this to a better boundary loses up to this.
        boundary_min_score: a weaker boundary is none.
        quality_w_excitement, quality_w_boundary, quality_w_narrative, quality_w_dead_time: shares of a clip's quality;
            dead time counts against it.
        quality_anchor_boost: an anchor that is certain raises the quality by this share.
        boring_max_quality, boring_spare_score: a clip under this quality is dropped, unless its score is this high.
        near_duplicate_distance: two moments that differ by less, in units of what changes from tick to tick, are one
            moment shown twice; the better stays.
        overlap_iou_threshold: of two clips whose temporal IoU is above, the better stays.
        target_clip_count_soft: at most about this many candidates are looked at.

    Raises:
        InputError: when a value is out of range.
    """

    step_sec: float = TICK_S
    anchor_suppression_window_sec: float = 4.0
    pre_max: float = 14.0
    pre_min: float = 2.0
    pre_fallback: float = 8.0
    post_min: float = 2.0
    post_max: float = 28.0
    post_fallback: float = 12.0
    boundary_w_scene: float = 0.45
    boundary_w_audio_dip: float = 0.25
    boundary_w_fade: float = 0.15
    boundary_w_motion_valley: float = 0.15
    boundary_w_pause: float = 0.25
    boundary_w_sentence_end: float = 0.25
    boundary_spacing_sec: float = 2.0
    boundary_spacing_penalty: float = 0.1
    boundary_min_score: float = 0.15
    quality_w_excitement: float = 0.4
    quality_w_boundary: float = 0.2
    quality_w_narrative: float = 0.2
    quality_w_dead_time: float = 0.2
    quality_anchor_boost: float = 0.25
    boring_max_quality: float = 0.25
    boring_spare_score: float = 0.15
    near_duplicate_distance: float = 0.75
    overlap_iou_threshold: float = 0.35
    target_clip_count_soft: int = 200

    def __post_init__(self) -> None:
        _finite(self)
        if self.step_sec != TICK_S:
            raise InputError(f"step_sec must be {TICK_S}, the grid of all signals, got {self.step_sec}.")
        if not self.pre_min <= self.pre_fallback <= self.pre_max or not (
            self.post_min <= self.post_fallback <= self.post_max
        ):
            raise InputError("The fallbacks before and behind an anchor must lie between their minimum and maximum.")
        if not 0 < self.overlap_iou_threshold <= 1:
            raise InputError(f"overlap_iou_threshold must be above 0 and at most 1, got {self.overlap_iou_threshold}.")
        if not 1 <= self.target_clip_count_soft <= 1000:
            raise InputError(f"target_clip_count_soft must be 1 to 1000, got {self.target_clip_count_soft}.")


@dataclass(frozen=True, slots=True)
class V1Config:
    """Scenes as clips.

    Attributes:
        scene_threshold: strength from which a change of the picture is a cut, as in ffmpeg's `scene`.
        split_above_s: longer scenes are split.
        merge_below_s: shorter scenes are joined with the next.
        most_clips: with more scenes than this, ever longer ones are joined.

    Raises:
        InputError: when a value is out of range.
    """

    scene_threshold: float = 0.3
    split_above_s: float = 60.0
    merge_below_s: float = 5.0
    most_clips: int = 300

    def __post_init__(self) -> None:
        _finite(self)
        if not 0 < self.merge_below_s * 2 <= self.split_above_s:
            raise InputError(
                f"split_above_s must be at least twice merge_below_s, got {self.split_above_s} and {self.merge_below_s}."
            )
        if self.most_clips < 1:
            raise InputError(f"most_clips must be at least 1, got {self.most_clips}.")


@dataclass(frozen=True, slots=True)
class DetectionConfig:
    """What to look for.

    Attributes:
        mode: "v2" looks for highlights, "v1" ranks scenes.
        min_gap_s: least distance between the peaks of two highlights of a kind.
        max_audio, max_video, max_speech, max_chat: at most this many of a kind, 0-25; 0 leaves a kind out.
        clip_duration_s: fixed length of clips; None: ends are chosen.
        min_clip_s, max_clip_s: limits of chosen clips.
        min_audio_score, min_video_score, min_speech_score, min_chat_score: highlights below are not shown.
        keep_best: when no moment of any kind reaches its minimum, give the best one that is more than chance.
        heuristic_weight, ml_weight: shares in the blend with a learned score; None: as large as the judge says, or
            `USUAL_ML_WEIGHT` where it does not.
        audio_weights, video_weights, speech_weights, chat_weights: evidence per σ of each signal, keyed `<feature>_mean`.
        v2, v1: the stages of each mode.

    Raises:
        InputError: when a value is out of range.
    """

    mode: Mode = "v2"
    min_gap_s: float = 10.0
    max_audio: int = 10
    max_video: int = 10
    max_speech: int = 10
    max_chat: int = 10
    clip_duration_s: float | None = None
    min_clip_s: float = 5.0
    max_clip_s: float = 60.0
    min_audio_score: float = 0.05
    min_video_score: float = 0.05
    min_speech_score: float = 0.05
    min_chat_score: float = 0.05
    keep_best: bool = False
    heuristic_weight: float = 0.6
    ml_weight: float | None = None
    audio_weights: Mapping[str, float] = field(default_factory=lambda: ABOUT["audio"].weights)
    video_weights: Mapping[str, float] = field(default_factory=lambda: ABOUT["video"].weights)
    speech_weights: Mapping[str, float] = field(default_factory=lambda: ABOUT["speech"].weights)
    chat_weights: Mapping[str, float] = field(default_factory=lambda: ABOUT["chat"].weights)
    v2: V2Config = field(default_factory=V2Config)
    v1: V1Config = field(default_factory=V1Config)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"mode must be one of {', '.join(MODES)}, got {self.mode!r}.")
        for medium in MEDIA:
            if not 0 <= self.most(medium) <= MOST_PER_KIND:
                raise InputError(f"max_{medium} must be 0 to {MOST_PER_KIND}, got {self.most(medium)}.")
            checked_weights(self.weights(medium), medium)
        least = [f"min_{medium}_score" for medium in MEDIA]
        for name in ("min_gap_s", *least, "heuristic_weight", "ml_weight"):
            if name == "ml_weight" and self.ml_weight is None:
                continue
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"{name} must be a finite number of at least 0, got {getattr(self, name)}.")
        if self.ml_weight is not None and self.heuristic_weight + self.ml_weight <= 0:
            raise InputError("heuristic_weight and ml_weight must not both be 0.")
        if not 0 < self.min_clip_s <= self.max_clip_s < math.inf:
            raise InputError(f"Clips must be {self.min_clip_s} to {self.max_clip_s} s long, which no clip can be.")
        if self.clip_duration_s is not None and not 0 < self.clip_duration_s < math.inf:
            raise InputError(f"clip_duration_s must be a finite number above 0, got {self.clip_duration_s}.")

    def learned_share(self, said: float | None) -> float:
        """The learned score's share in the blend, 0-1.

        Args:
            said: what the judge takes its evidence to be worth; None where it does not say.
        """
        if self.ml_weight is None and said is not None:
            return said
        weight = USUAL_ML_WEIGHT if self.ml_weight is None else self.ml_weight
        return weight / (self.heuristic_weight + weight)

    def most(self, medium: Medium) -> int:
        """At most this many highlights of a medium."""
        return int(getattr(self, f"max_{medium}"))

    def least(self, medium: Medium) -> float:
        """The score from which a highlight of a medium is shown."""
        return float(getattr(self, f"min_{medium}_score"))

    def weights(self, medium: Medium) -> Mapping[str, float]:
        """Evidence per σ of each of a medium's signals."""
        weights: Mapping[str, float] = getattr(self, f"{medium}_weights")
        return weights


def _finite(config: V2Config | V1Config) -> None:
    for parameter in fields(config):
        value: Any = getattr(config, parameter.name)
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{parameter.name} must be a finite number of at least 0, got {value}.")
