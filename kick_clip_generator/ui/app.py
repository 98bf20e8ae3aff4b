"""The page: three tabs on one library."""

from __future__ import annotations

import gradio as gr

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.ui.block import html_block
from kick_clip_generator.ui.browse_tab import build_browse_tab
from kick_clip_generator.ui.generate_tab import build_generate_tab
from kick_clip_generator.ui.html import Html
from kick_clip_generator.ui.rate_tab import build_rate_tab

TITLE = "Kick Clip Generator"

HEADER = Html(
    '<header class="brand"><span class="mark" aria-hidden="true"></span><div><h1>Kick Clip Generator</h1>'
    "<p>The moments worth posting, from streams you have no time to watch again.</p></div></header>"
)


def build_page(library: Library, settings: Settings) -> gr.Blocks:
    """The whole page. Nothing of a visitor is kept in the module: sessions and jobs hold it."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        html_block(HEADER)
        with gr.Tabs():
            with gr.Tab("Generate Clips", id="generate"):
                build_generate_tab(page, library, settings)
            with gr.Tab("Rate Clips", id="rate") as rate:
                build_rate_tab(page, rate, library, settings)
            with gr.Tab("Browse & Download", id="browse") as browse:
                build_browse_tab(page, browse, library, settings)
    return page
