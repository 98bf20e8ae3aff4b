"""Many clips leave the library at once; as `export`, but counted and cancelled as one."""

from __future__ import annotations

from kick_clip_generator.service.kinds.export import Payload, run

__all__ = ["Payload", "run"]
