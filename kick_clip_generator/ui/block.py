"""The one way our own HTML gets onto the page."""

from __future__ import annotations

import gradio as gr

from kick_clip_generator.ui.html import Html


def html_block(value: Html = Html(""), *, script: str | None = None, name: str | None = None) -> gr.HTML:  # noqa: B008
    """A place for `Html`.

    Args:
        script: runs once when the block is on the page; see `stars.py`.
        name: its id in the page.
    """
    # Gradio's own look for HTML paints every element in one text color, stars included.
    return gr.HTML(value, js_on_load=script, elem_id=name, elem_classes="own", apply_default_css=False)


def message_block() -> gr.HTML:
    """A place for a `box`, which takes no room while it is empty."""
    return gr.HTML("", js_on_load=None, elem_classes=["own", "message"], apply_default_css=False)
