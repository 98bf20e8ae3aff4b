"""What can go wrong with a model."""

from __future__ import annotations

from kick_clip_generator.core.errors import ClipGeneratorError


class ModelError(ClipGeneratorError):
    """A model could not be trained, written or read."""
