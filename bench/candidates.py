"""Settings of the detection that might have been shipped: drawn near the shipped ones, or without knowing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType, ModuleType

import numpy as np

from kick_clip_generator.core.records import Highlight
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights import baseline, events, scoring
from kick_clip_generator.highlights.detect import DetectionConfig, detect


@dataclass(frozen=True, slots=True)
class Constant:
    """A number of the detection that is no parameter of its configuration, and what it might be."""

    module: ModuleType
    name: str
    low: float
    high: float

    @property
    def shipped(self) -> float:
        return float(getattr(self.module, self.name))


CONSTANTS = (
    Constant(events, "FLANK_SHARE", 0.5, 1.0),
    Constant(events, "FLANK_S", 5.0, 14.0),
    Constant(events, "DURATION_POWER", 0.0, 0.5),
    Constant(scoring, "HEARD_STEEPNESS", 1.0, 8.0),
    Constant(baseline, "Z_LIMIT", 3.0, 7.0),
    Constant(baseline, "STREAM_SHARE", 0.25, 0.75),
    Constant(baseline, "BASELINE_S", 90.0, 300.0),
)

# Spread of the logarithm of a weight, and of what a medium's weights and each constant are multiplied by.
WEIGHT_SPREAD, OTHER_SPREAD, BLIND_SPREAD = 0.3, 0.2, 0.5
# Sums of a medium's weights: how much of it makes a half, and how much it counts against the other.
AUDIO_SUMS, VIDEO_SUMS = (2.5, 7.0), (1.0, 3.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """Weights in the order of the configuration's, and the values of `CONSTANTS`.

    What scores one half is among them: half of it is twice the weights.
    """

    audio: tuple[float, ...]
    video: tuple[float, ...]
    constants: tuple[float, ...]

    @classmethod
    def shipped(cls, config: DetectionConfig) -> Settings:
        """Those of the product."""
        return cls(
            tuple(config.audio_weights.values()),
            tuple(config.video_weights.values()),
            tuple(constant.shipped for constant in CONSTANTS),
        )

    @classmethod
    def mean(cls, settings: Sequence[Settings]) -> Settings:
        """Of each number. Evidence is linear in the weights, so theirs are an ensemble of all."""
        return cls(*(tuple(np.mean(values, axis=0).tolist()) for values in zip(*map(_parts, settings), strict=True)))

    def found(self, timeline: Timeline, config: DetectionConfig) -> Sequence[Highlight]:
        """What is found with them."""
        config = replace(
            config,
            audio_weights=dict(zip(config.audio_weights, self.audio, strict=True)),
            video_weights=dict(zip(config.video_weights, self.video, strict=True)),
        )
        with _constants(self.constants):
            return detect(timeline, config).merged


def _parts(settings: Settings) -> tuple[tuple[float, ...], ...]:
    return settings.audio, settings.video, settings.constants


@contextmanager
def _constants(values: Sequence[float]) -> Iterator[None]:
    shipped = [constant.shipped for constant in CONSTANTS]
    try:
        for constant, value in zip(CONSTANTS, values, strict=True):
            setattr(constant.module, constant.name, value)
        yield
    finally:
        for constant, value in zip(CONSTANTS, shipped, strict=True):
            setattr(constant.module, constant.name, value)


def near(config: DetectionConfig, random: np.random.Generator) -> Settings:
    """The shipped settings, all shaken: whoever chooses among these starts from what was chosen with all in sight."""

    def shaken(values: Sequence[float]) -> tuple[float, ...]:
        factors = np.exp(random.normal(0, WEIGHT_SPREAD, len(values)) + random.normal(0, OTHER_SPREAD))
        return tuple((np.array(values) * factors).tolist())

    shipped = Settings.shipped(config)
    factors = np.exp(random.normal(0, OTHER_SPREAD, len(CONSTANTS)))
    moved = [
        float(np.clip(value * factor, constant.low, constant.high))
        for constant, value, factor in zip(CONSTANTS, shipped.constants, factors, strict=True)
    ]
    return Settings(shaken(shipped.audio), shaken(shipped.video), tuple(moved))


def blind(config: DetectionConfig, random: np.random.Generator) -> Settings:
    """Of the shipped settings only which signals there are and which speak against: all count alike, and are shaken."""

    def drawn(values: Sequence[float], sums: tuple[float, float]) -> tuple[float, ...]:
        weights = np.sign(values) * np.exp(random.normal(0, BLIND_SPREAD, len(values)))
        total = np.exp(random.uniform(*np.log(sums)))
        return tuple((weights * total / np.abs(weights).sum()).tolist())

    return Settings(
        drawn(tuple(config.audio_weights.values()), AUDIO_SUMS),
        drawn(tuple(config.video_weights.values()), VIDEO_SUMS),
        tuple(float(random.uniform(constant.low, constant.high)) for constant in CONSTANTS),
    )


FAMILIES: Mapping[str, Callable[[DetectionConfig, np.random.Generator], Settings]] = MappingProxyType(
    {"near": near, "blind": blind}
)
