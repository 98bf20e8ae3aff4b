"""Rate Clips: one clip at a time, stars by mouse or keyboard, the next one at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, ClipQuery
from kick_clip_generator.service.rating import next_to_rate
from kick_clip_generator.ui import ratings
from kick_clip_generator.ui.block import html_block, message_block
from kick_clip_generator.ui.generate_tab import OWN
from kick_clip_generator.ui.html import Html, markup
from kick_clip_generator.ui.stars import KEYS_JS, STARS_JS
from kick_clip_generator.ui.tiles import tile
from kick_clip_generator.ui.words import box, empty

HOW = Html(
    '<p class="how">Stars teach the ranking what <em>you</em> call a highlight. '
    "Keys <kbd>1</kbd>–<kbd>5</kbd> rate, <kbd>S</kbd> skips; a skip is not a bad mark.</p>"
)


def build_rate_tab(page: gr.Blocks, tab: gr.Tab, library: Library, settings: Settings) -> None:
    """Lay out the tab inside `tab`, and wire it."""
    html_block(HOW)
    message = message_block()
    card = html_block(script=STARS_JS + KEYS_JS, name="rate-card")

    def show() -> Html:
        return _card(library, next_to_rate(library, settings))

    def on_rate(event: gr.EventData) -> Iterator[dict[Any, Any]]:
        # A rating may set off a training of some seconds; the next clip does not wait for it.
        try:
            clip_id = ratings.rated(event)[0]
        except InputError as error:
            yield {message: box("error", str(error)), card: show()}
            return
        yield {
            card: _card(library, next_to_rate(library, settings, besides={clip_id})),
            message: box("note", "Saving…"),
        }
        said, stored = ratings.store(library, settings, event)
        yield {message: said} if stored else {message: said, card: show()}

    card.rate(on_rate, None, [card, message], **OWN, **ratings.ONE_AT_A_TIME)
    page.load(show, None, card, **OWN)
    tab.select(show, None, card, **OWN)


def _card(library: Library, clip: Clip | None) -> Html:
    if clip is not None:
        skip = markup('<button type="button" class="button" data-skip="{id}">Skip</button>', id=clip.id)
        return markup('<div class="single">{tile}</div>', tile=tile(clip, place="rate", extra=skip))
    if library.clips(ClipQuery(limit=1)).items:
        return empty(
            "All clips are rated",
            "Thank you. Generate more clips, or change stars under Browse & Download.",
        )
    return empty("Nothing to rate yet", "Open Generate Clips first; each new clip turns up here.")
