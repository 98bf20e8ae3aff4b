"""All that a run of the detection found, thought and threw away: what `detect` returns the end of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kick_clip_generator.core.records import Detection
from kick_clip_generator.highlights.anchors import Anchor
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.boundaries import Boundaries
from kick_clip_generator.highlights.config import DetectionConfig
from kick_clip_generator.highlights.filters import Decision, Proposal


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A run of the detection, step by step.

    Attributes:
        config: what was looked for.
        detection: highlights per kind and merged, best first.
        excitement: per tick, of each medium that was measured and "fused".
        boundaries: where clips may begin and end; None where nothing was measured.
        anchors: all of them, of both media, best first.
        proposals: a clip for each anchor, before any filter.
        decisions: of each filter about each proposal that reached it, in order.
        clips: the proposals behind `detection.merged`, in its order.
    """

    config: DetectionConfig
    detection: Detection
    excitement: Mapping[str, Array] = field(default_factory=dict)
    boundaries: Boundaries | None = None
    anchors: Sequence[Anchor] = ()
    proposals: Sequence[Proposal] = ()
    decisions: Sequence[Decision] = ()
    clips: Sequence[Proposal] = ()

    @property
    def dropped(self) -> dict[int, Decision]:
        """By `clip_index`, what dropped a clip; a clip that was taken back is not among them."""
        last = {decision.clip_index: decision for decision in self.decisions}
        return {index: decision for index, decision in last.items() if not decision.kept}
