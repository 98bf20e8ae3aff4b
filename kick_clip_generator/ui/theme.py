"""Dark and quiet, for midnight: colors with a contrast of at least 4.5, fonts of the system (no request leaves)."""

from __future__ import annotations

import gradio as gr

FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

# The same by day and by night: streamers' rooms are dark, and one look needs checking once.
_COLORS = {
    "body_background_fill": "#0d1016",
    "body_text_color": "#e9edf5",
    "body_text_color_subdued": "#a9b3c6",
    "background_fill_primary": "#0d1016",
    "background_fill_secondary": "#151a23",
    "block_background_fill": "#151a23",
    "block_border_color": "#262e3d",
    "block_info_text_color": "#a9b3c6",
    "block_label_background_fill": "#151a23",
    "block_label_text_color": "#e9edf5",
    "block_title_text_color": "#e9edf5",
    "border_color_primary": "#262e3d",
    "border_color_accent": "#53fc18",
    "color_accent_soft": "#1c2a1a",
    "input_background_fill": "#0d1016",
    "input_border_color": "#5d6a82",
    "input_border_width": "1px",
    "button_border_width": "0px",
    "input_border_color_focus": "#53fc18",
    "input_placeholder_color": "#8f9bb1",
    "button_primary_background_fill": "#53fc18",
    "button_primary_background_fill_hover": "#7dff4f",
    "button_primary_text_color": "#071003",
    "button_primary_text_color_hover": "#071003",
    "button_secondary_background_fill": "#242c3a",
    "button_secondary_background_fill_hover": "#30394a",
    "button_secondary_text_color": "#e9edf5",
    "button_cancel_background_fill": "#4a1f27",
    "button_cancel_background_fill_hover": "#632833",
    "button_cancel_text_color": "#ffdfe3",
    "checkbox_background_color": "#0d1016",
    "checkbox_background_color_selected": "#2f9e0b",
    "checkbox_border_color": "#8f9bb1",
    "checkbox_label_background_fill": "#1d2430",
    "checkbox_label_background_fill_hover": "#262e3d",
    "checkbox_label_background_fill_selected": "#1f3319",
    "checkbox_label_border_color": "#3a4559",
    "checkbox_label_text_color": "#e9edf5",
    "checkbox_label_text_color_selected": "#e9edf5",
    "link_text_color": "#7cc7ff",
    "link_text_color_hover": "#a8daff",
    "link_text_color_visited": "#7cc7ff",
    "link_text_color_active": "#7cc7ff",
    "error_background_fill": "#3a161c",
    "error_text_color": "#ffdfe3",
    "error_border_color": "#ff6b7d",
}


def theme() -> gr.themes.Base:
    """The theme of the page."""
    return gr.themes.Base(
        primary_hue="green",
        neutral_hue="slate",
        font=FONTS,
        font_mono=MONO,
        radius_size="lg",
    ).set(**_COLORS, **{f"{name}_dark": value for name, value in _COLORS.items()})


CSS = """
.gradio-container { width: 100% !important; max-width: 1160px !important; margin: 0 auto !important;
  padding: 16px !important; }
.gradio-container main, .gradio-container > * { width: 100% !important; max-width: 100% !important;
  padding: 0 !important; }
.gradio-container .tabitem { padding: 14px 0 !important; }
footer { display: none !important; }
.own, .own .html-container { padding: 0 !important; color: #e9edf5; line-height: 1.5; }
.own :where(h1, h2, h3) { font-weight: 650; line-height: 1.3; color: #e9edf5; }
.own a { color: #7cc7ff; text-decoration: underline; }
.message:not(:has(.box)) { display: none !important; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:where(a, button, input, textarea, select, video, audio, [tabindex], .stars label):focus-visible,
.stars label:has(input:focus-visible) { outline: 3px solid #7cc7ff !important; outline-offset: 2px; }

.brand { display: flex; gap: 14px; align-items: center; }
.brand h1 { font-size: 1.5rem; margin: 0; }
.brand p { margin: 2px 0 0; color: #a9b3c6; }
.brand .mark { flex: none; width: 44px; height: 44px; border-radius: 12px; background: #53fc18; position: relative; }
.brand .mark::after { content: ""; position: absolute; inset: 12px 12px 12px 16px; background: #071003;
  clip-path: polygon(0 0, 100% 50%, 0 100%); }

.buttons-row { flex-wrap: wrap; }
.options .form, .filters .form { display: flex; flex-wrap: wrap; }
.filters .form > * { flex: 1 1 200px !important; min-width: min(200px, 100%) !important; }
.options .form > * { flex: 1 1 30% !important; min-width: 130px !important; }
.options .form > fieldset { flex: 1 1 45% !important; min-width: min(260px, 100%) !important; }
.filters .form > :first-child { flex: 3 1 300px !important; }

.box { border: 1px solid #3a4559; border-left-width: 5px; border-radius: 10px; padding: 12px 14px; margin: 4px 0;
  background: #1a202b; color: #e9edf5; overflow-wrap: anywhere; }
.box.error { background: #3a161c; border-color: #ff6b7d; color: #ffe6e9; }
.box.good { border-color: #53fc18; }
.empty { text-align: center; padding: 44px 16px; border: 1px dashed #3a4559; border-radius: 14px; color: #a9b3c6; }
.empty .headline { font-size: 1.2rem; font-weight: 650; color: #e9edf5; margin-bottom: 6px; }
.how { color: #a9b3c6; margin: 0; }
kbd { background: #262e3d; color: #e9edf5; border-radius: 6px; padding: 1px 7px; border: 1px solid #48546a; }

.progress { background: #151a23; border: 1px solid #262e3d; border-radius: 14px; padding: 16px; }
.progress .step { font-weight: 650; margin: 0 0 10px; }
.progress .figures { color: #a9b3c6; margin: 10px 0 0; min-height: 1.5em; font-variant-numeric: tabular-nums; }
.progress progress { appearance: none; display: block; width: 100%; height: 10px; border: 0; border-radius: 5px;
  background: #2b3444; overflow: hidden; }
.progress progress::-webkit-progress-bar { background: #2b3444; }
.progress progress::-webkit-progress-value { background: #53fc18; }
.progress progress::-moz-progress-bar { background: #53fc18; }
.progress progress:indeterminate { background: linear-gradient(90deg, #2b3444 30%, #53fc18 50%, #2b3444 70%) 0 / 200%;
  animation: sweep 1.6s linear infinite; }
.progress progress:indeterminate::-webkit-progress-bar { background: transparent; }
@keyframes sweep { from { background-position: 150% 0; } to { background-position: -50% 0; } }

.results h2 { font-size: 1.15rem; margin: 6px 0 10px; overflow-wrap: anywhere; }
.notes { color: #a9b3c6; margin: 0 0 12px; padding-left: 20px; list-style: disc; overflow-wrap: anywhere; }
.list-head { display: flex; justify-content: space-between; gap: 12px; color: #a9b3c6; margin: 0 0 10px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(320px, 100%), 1fr)); gap: 16px; }
.single { max-width: 760px; margin: 0 auto; }
.tile { background: #151a23; border: 1px solid #262e3d; border-radius: 14px; overflow: hidden; display: flex;
  flex-direction: column; }
.tile .media { position: relative; background: #000; }
.tile video { display: block; width: 100%; aspect-ratio: 16 / 9; object-fit: contain; background: #000; }
.tile audio { display: block; width: 100%; padding: 40px 12px; }
.tile .gone { margin: 0; padding: 60px 16px; text-align: center; color: #a9b3c6; }
.tile .rank { position: absolute; z-index: 1; top: 10px; left: 10px; background: #071003; color: #7dff4f;
  font-weight: 700; border-radius: 8px; padding: 2px 9px; pointer-events: none; }
.tile .about { padding: 14px; display: flex; flex-direction: column; gap: 10px; flex: 1; }
.tile h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden; }
.tile .facts { display: flex; flex-wrap: wrap; gap: 4px 12px; margin: 0; color: #a9b3c6; align-items: center;
  font-variant-numeric: tabular-nums; font-size: .93rem; }
.tile .facts strong { color: #e9edf5; }
.tile .fault { margin: 0; color: #ffb3a8; font-size: .93rem; overflow-wrap: anywhere; }
.badge { border-radius: 999px; padding: 1px 10px; font-size: .85rem; font-weight: 600; background: #24364a;
  color: #a8daff; }
.badge.video { background: #35284d; color: #d9c4ff; }
.badge.speech { background: #12382b; color: #9df0cd; }
.badge.chat { background: #46203a; color: #ffc2e4; }
.reasons { list-style: none !important; margin: 0 !important; padding: 0 !important; display: grid; gap: 3px; }
.reasons li { position: relative; padding: 2px 8px; border-radius: 6px; overflow: hidden; font-size: .9rem; margin: 0;
  overflow-wrap: anywhere; }
.reasons .bar { position: absolute; inset: 0 auto 0 0; background: #1e4012; border-radius: 6px; }
.reasons .less .bar { background: #4a1f27; }
.reasons li > span:last-child { position: relative; }
.tile .actions { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; justify-content: space-between;
  margin-top: auto; }
.tile .buttons { display: flex; gap: 8px; }
.button { display: inline-block; background: #242c3a; color: #e9edf5 !important; border: 1px solid #3a4559;
  border-radius: 10px; padding: 7px 14px; font-weight: 600; text-decoration: none !important; cursor: pointer; }
.button:hover { background: #30394a; }

.stars { border: 0; margin: 0; padding: 0; display: inline-flex; min-width: 0; }
.stars legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.stars label { position: relative; font-size: 1.75rem; line-height: 1; padding: 5px 4px; cursor: pointer;
  color: #8390aa; border-radius: 6px; }
.stars input { position: absolute; opacity: 0; inset: 0; width: 100%; height: 100%; margin: 0; cursor: pointer; }
.stars label:has(input:checked), .stars label:has(~ label input:checked) { color: #ffc53d; }
@media (hover: hover) {
  .stars:hover label { color: #8390aa; }
  .stars label:hover, .stars label:has(~ label:hover) { color: #ffdd8a !important; }
}
.single .stars label { font-size: 2.4rem; padding: 6px; }
@media (max-width: 480px) {
  .gradio-container { padding: 10px !important; }
  /* All three tabs in one row: behind "…" nobody finds them. Gradio measures a hidden copy of the buttons. */
  .tab-wrapper .tab-container button { padding: 0 8px !important; font-size: 13px !important; }
  #start { flex: 1 1 100%; }
  .brand h1 { font-size: 1.25rem; }
  .filters .form > :not(:first-child) { flex: 1 1 130px !important; min-width: 0 !important; }
  .tile .actions { flex-direction: column; align-items: stretch; }
  .tile .buttons { justify-content: stretch; }
  .tile .buttons > * { flex: 1; text-align: center; }
  .stars { justify-content: space-between; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
"""
