"""Numbers and states as people read them, and the boxes that say so."""

from __future__ import annotations

from typing import Literal

from kick_clip_generator.ui.html import Html, markup

# A role makes screen readers say the box when it appears: errors at once, the others when the reader pauses.
_ROLES = {"error": "alert", "good": "status", "note": "status"}


def box(kind: Literal["error", "good", "note"], sentence: str) -> Html:
    """A sentence in a box."""
    return markup('<p class="box {kind}" role="{role}">{sentence}</p>', kind=kind, role=_ROLES[kind], sentence=sentence)


def empty(headline: str, advice: str) -> Html:
    """What stands where nothing is to be shown yet: why, and what to do."""
    return markup(
        '<div class="empty"><p class="headline">{headline}</p><p>{advice}</p></div>', headline=headline, advice=advice
    )
