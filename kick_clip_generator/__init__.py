"""Find, cut and learn the highlights of streams.

The public names are loaded when they are first used, so that `import kick_clip_generator` costs nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# Must be set before numpy, scikit-learn and gradio load: gradient boosting took 57 s instead of 2.6 s under load with
# one thread per core, and the analysis is parallel by processes already.
for _name, _value in (("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1"), ("GRADIO_ANALYTICS_ENABLED", "False")):
    os.environ.setdefault(_name, _value)

__version__ = "0.1.0"

_PUBLIC = {
    "KickClipGenerator": "kick_clip_generator.generator",
    "MLHighlightModel": "kick_clip_generator.learning.model",
    "Highlight": "kick_clip_generator.core.records",
    "Span": "kick_clip_generator.core.records",
    "Settings": "kick_clip_generator.core.settings",
    "load_settings": "kick_clip_generator.core.settings",
    "ClipGeneratorError": "kick_clip_generator.core.errors",
}

__all__ = [
    "ClipGeneratorError",
    "Highlight",
    "KickClipGenerator",
    "MLHighlightModel",
    "Settings",
    "Span",
    "load_settings",
]

if TYPE_CHECKING:
    from kick_clip_generator.core.errors import ClipGeneratorError
    from kick_clip_generator.core.records import Highlight, Span
    from kick_clip_generator.core.settings import Settings, load_settings
    from kick_clip_generator.generator import KickClipGenerator
    from kick_clip_generator.learning.model import MLHighlightModel


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
