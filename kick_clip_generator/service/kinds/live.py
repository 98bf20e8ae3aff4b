"""A running stream, listed while it runs: as `analyze`, by the workers that have time for it."""

from __future__ import annotations

from kick_clip_generator.service.kinds.analyze import Payload, run

__all__ = ["Payload", "run"]
