"""Stars that come from the page: checked, stored, answered in one sentence."""

from __future__ import annotations

from typing import Any

import gradio as gr

from kick_clip_generator.core.errors import ClipGeneratorError, InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.rating import rate
from kick_clip_generator.ui.html import Html
from kick_clip_generator.ui.words import box

# Ratings go one after the other: two trainings at once would fight over one model number.
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "ratings", "concurrency_limit": 1, "trigger_mode": "multiple"}

LARGEST_ID = 2**63 - 1


def rated(event: gr.EventData) -> tuple[int, int | None]:
    """The clip and the stars that a `rate` event carries; None is a skip.

    Raises:
        InputError: when the page sent something else.
    """
    data = event._data if isinstance(event._data, dict) else {}
    clip_id, stars = data.get("clip"), data.get("stars")
    if type(clip_id) is int and 0 < clip_id <= LARGEST_ID and (stars is None or type(stars) is int):
        return clip_id, stars
    raise InputError("This rating could not be read; reload the page and try again.")


def store(library: Library, settings: Settings, event: gr.EventData) -> tuple[Html, bool]:
    """Store the rating of an event.

    Returns:
        the box to show, and whether it was stored.
    """
    try:
        clip_id, stars = rated(event)
        return box("good", rate(library, settings, clip_id, stars).message), True
    except ClipGeneratorError as error:
        return box("error", str(error)), False
