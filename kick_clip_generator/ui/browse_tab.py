"""Browse & Download: every clip there is, filtered, sorted, page by page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.core.kinds import MEDIA
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import ClipQuery
from kick_clip_generator.ui import ratings
from kick_clip_generator.ui.block import html_block, message_block
from kick_clip_generator.ui.generate_tab import OWN
from kick_clip_generator.ui.html import Html, markup, printable
from kick_clip_generator.ui.stars import STARS_JS
from kick_clip_generator.ui.tiles import KINDS as tile_words
from kick_clip_generator.ui.tiles import tiles
from kick_clip_generator.ui.words import box, empty

PAGE_SIZE = 12
LONGEST_SEARCH = 200

# A file is named after one medium, also where several found its moment.
KINDS = [("All", ""), *((tile_words[medium], medium) for medium in MEDIA)]
STARS = [
    ("All", ""),
    ("Not rated yet", "unrated"),
    ("★ or more", "1"),
    ("★★ or more", "2"),
    ("★★★ or more", "3"),
    ("★★★★ or more", "4"),
    ("★★★★★", "5"),
]
SORTS = [
    ("Newest first", "newest"),
    ("Best score first", "score"),
    ("Most stars first", "stars"),
    ("Oldest first", "oldest"),
    ("By name", "name"),
]


@dataclass(frozen=True, slots=True)
class Trail:
    """The pages turned so far: where each began, up to the one that is shown, and where the next begins."""

    starts: tuple[str | None, ...] = (None,)
    after: str | None = None


def build_browse_tab(page: gr.Blocks, tab: gr.Tab, library: Library, settings: Settings) -> None:
    """Lay out the tab inside `tab`, and wire it."""
    with gr.Row(elem_classes="filters"):
        text = gr.Textbox(
            label="Search",
            placeholder="Words of the title, the channel or the link",
            max_lines=1,
            max_length=LONGEST_SEARCH,
        )
        kind = gr.Dropdown(KINDS, value="", label="Kind", filterable=False)
        stars = gr.Dropdown(STARS, value="", label="Stars", filterable=False)
        sort = gr.Dropdown(SORTS, value="newest", label="Order", filterable=False)
    message = message_block()
    shown = html_block(script=STARS_JS, name="browse-list")
    with gr.Row(elem_classes="pages"):
        back = gr.Button("← Previous", interactive=False, elem_id="previous")
        forth = gr.Button("Next →", interactive=False, elem_id="next")
    trail = gr.State(Trail())

    filters = [text, kind, stars, sort]
    outputs = [shown, message, trail, back, forth]

    def list_page(query: ClipQuery, starts: tuple[str | None, ...]) -> dict[Any, Any]:
        try:
            found = library.clips(replace(query, after=starts[-1]))
        except ClipGeneratorError as error:
            return {message: box("error", str(error))}
        return {
            shown: _listed(library, query, starts, found.items),
            message: Html(""),
            trail: Trail(starts, found.after),
            back: gr.Button(interactive=len(starts) > 1),
            forth: gr.Button(interactive=found.after is not None),
        }

    def on_filter(*values: Any) -> dict[Any, Any]:
        return list_page(_query(*values), (None,))

    def on_back(now: Trail, *values: Any) -> dict[Any, Any]:
        return list_page(_query(*values), now.starts[:-1] or (None,))

    def on_forth(now: Trail, *values: Any) -> dict[Any, Any]:
        return list_page(_query(*values), (*now.starts, now.after) if now.after else now.starts)

    def on_show(now: Trail, *values: Any) -> dict[Any, Any]:
        return list_page(_query(*values), now.starts)

    def on_rate(event: gr.EventData, now: Trail, *values: Any) -> dict[Any, Any]:
        said, stored = ratings.store(library, settings, event)
        # The list stays as it is, so that a clip that plays goes on; after a failure the stars go back.
        return {message: said} if stored else {**on_show(now, *values), message: said}

    # `change`, for Gradio's `input` is silent when text is pasted with the mouse or dictated.
    text.change(on_filter, filters, outputs, trigger_mode="always_last", **OWN)
    for choice in (kind, stars, sort):
        choice.input(on_filter, filters, outputs, **OWN)
    back.click(on_back, [trail, *filters], outputs, **OWN)
    forth.click(on_forth, [trail, *filters], outputs, **OWN)
    page.load(on_filter, filters, outputs, **OWN)
    tab.select(on_show, [trail, *filters], outputs, **OWN)
    shown.rate(on_rate, [trail, *filters], outputs, **OWN, **ratings.ONE_AT_A_TIME)


def _query(text: Any, kind: Any, stars: Any, sort: Any) -> ClipQuery:
    """What is chosen; a choice that is none of ours counts as "All"."""
    chosen = str(stars or "")
    return ClipQuery(
        text=printable(str(text or ""))[:LONGEST_SEARCH],
        kind=kind if kind in MEDIA else None,
        min_stars=int(chosen) if chosen in ("1", "2", "3", "4", "5") else None,
        unrated=chosen == "unrated",
        sort=sort if sort in [value for _, value in SORTS] else "newest",
        limit=PAGE_SIZE,
    )


def _listed(library: Library, query: ClipQuery, starts: tuple[str | None, ...], clips: tuple[Any, ...]) -> Html:
    if clips:
        return markup(
            '<p class="list-head"><span>Page {n}</span>'
            '<a href="{json}" download="clips.json">Download this list (JSON)</a></p>{tiles}',
            n=len(starts),
            json=_json_url(query, starts[-1]),
            tiles=tiles(clips, place="browse"),
        )
    if len(starts) > 1:
        return empty("Nothing more here", "Go back to the previous page.")
    if library.clips(ClipQuery(limit=1)).items:
        return empty("No clip fits these filters", "Use fewer words, or set Kind and Stars to All.")
    return empty("No clips yet", "Open Generate Clips, paste a link or try the demo stream; the clips are kept here.")


def _json_url(query: ClipQuery, after: str | None) -> str:
    """Where `api/clips.py` gives the same list."""
    values = {
        "text": query.text,
        "kind": query.kind,
        "min_stars": query.min_stars,
        "unrated": "true" if query.unrated else None,
        "sort": query.sort,
        "after": after,
        "limit": query.limit,
    }
    return "/api/clips?" + urlencode({name: value for name, value in values.items() if value})
