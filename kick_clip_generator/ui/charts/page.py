"""The page around the charts: one file with its own style and script, which may load and send nothing."""

from __future__ import annotations

import base64
import hashlib

from kick_clip_generator.ui.html import Html, markup

# Each color has a contrast of at least 4.5 to its ground, by day and by night.
STYLE = """
:root { color-scheme: light dark; --ground: #fff; --lane: #f4f5f8; --ink: #1a1d23; --quiet: #596070; --line: #d5d9e1;
  --audio: #1f63c7; --video: #b34700; --both: #6a3bbf; --speech: #0a7350; --chat: #a3195b; --fused: #7a5c00;
  --signal: #667085; --cut: #667085; --tip: #1a1d23; --tip-ink: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1016; --lane: #151a23; --ink: #e9edf5; --quiet: #a9b3c6; --line: #2c3545; --audio: #7cb4ff;
    --video: #ff9f5a; --both: #c3a2ff; --speech: #5fd6a8; --chat: #ff8fc0; --fused: #e6c84f;
    --signal: #93a0b8; --cut: #93a0b8; --tip: #e9edf5; --tip-ink: #0d1016; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 1500px; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.facts, .notes, .legend { color: var(--quiet); margin: .2rem 0; }
.notes { padding-left: 1.2rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; list-style: none; }
.legend svg { width: 12px; height: 12px; vertical-align: -1px; margin-right: .35rem; }
.chart { display: flex; margin: 1rem 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.chart > svg { flex: none; border-right: 1px solid var(--line); }
.scroll { overflow-x: auto; flex: 1; }
svg text { font: 12px system-ui, sans-serif; fill: var(--quiet); }
svg text.name { fill: var(--ink); }
svg .lane { fill: var(--lane); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .audio { fill: var(--audio); stroke: var(--audio); }
svg .video { fill: var(--video); stroke: var(--video); }
svg .both { fill: var(--both); stroke: var(--both); }
svg .speech { fill: var(--speech); stroke: var(--speech); }
svg .chat { fill: var(--chat); stroke: var(--chat); }
svg .fused { fill: var(--fused); stroke: var(--fused); }
svg .signal { fill: var(--signal); stroke: var(--signal); }
svg .envelope { fill-opacity: .45; stroke-width: 1; stroke-linejoin: round; }
svg .band { fill-opacity: .1; stroke: none; }
svg .span { fill-opacity: .35; stroke-width: 1; }
svg .event { stroke: none; }
svg .dropped { fill-opacity: .08; stroke-dasharray: 2 2; }
svg .bars { fill: none; stroke-width: 1; }
svg a:focus { outline: none; }
svg a:focus .span, svg a:hover .span, svg a:target .span { stroke: var(--ink); stroke-width: 2.5; }
svg .rank { fill: var(--ink); font-weight: 600; pointer-events: none; }
svg .cursor { stroke: var(--ink); stroke-width: 1; pointer-events: none; }
.tip { position: fixed; z-index: 2; max-width: 26rem; padding: .5rem .7rem; border-radius: 6px; white-space: pre-line;
  background: var(--tip); color: var(--tip-ink); font-size: 13px; pointer-events: none; overflow-wrap: anywhere; }
.tip[hidden] { display: none; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; min-width: 50%; font-size: 14px; }
caption { text-align: left; color: var(--quiet); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr:target { background: var(--lane); }
a { color: var(--audio); }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
summary { cursor: pointer; margin-top: 1rem; }
@media print { .scroll { overflow: visible; } }
"""

# What a mark says stands in its data-tip; it is shown as text, never as HTML.
SCRIPT = """
"use strict";
(() => {
  const tip = document.getElementById("tip");
  const show = (mark, x, y) => {
    tip.textContent = mark.getAttribute("data-tip");
    tip.hidden = false;
    tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - tip.offsetWidth - 8)) + "px";
    const below = y + 16;
    tip.style.top = (below + tip.offsetHeight > innerHeight ? Math.max(8, y - tip.offsetHeight - 10) : below) + "px";
  };
  const hide = () => { tip.hidden = true; };
  const marked = (event) => event.target instanceof Element ? event.target.closest("[data-tip]") : null;
  document.addEventListener("mousemove", (event) => {
    const mark = marked(event);
    if (mark) show(mark, event.clientX, event.clientY); else hide();
  });
  document.addEventListener("focusin", (event) => {
    const mark = marked(event);
    if (!mark || !mark.matches(":focus-visible")) return;
    mark.scrollIntoView({block: "nearest", inline: "nearest"});
    const box = mark.getBoundingClientRect();
    show(mark, box.left, box.bottom);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  const words = (seconds) => {
    const whole = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600), rest = two(Math.floor(whole / 60) % 60) + ":" + two(whole % 60);
    return hours ? hours + ":" + rest : rest;
  };
  for (const chart of document.querySelectorAll("svg[data-start]")) {
    const cursor = chart.querySelector(".cursor"), time = chart.querySelector(".time-here");
    const start = Number(chart.dataset.start), length = Number(chart.dataset.length);
    chart.addEventListener("mousemove", (event) => {
      const box = chart.getBoundingClientRect(), x = event.clientX - box.left;
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.removeAttribute("visibility");
      time.textContent = words(start + length * x / box.width);
      time.setAttribute("x", Math.min(x + 4, box.width - 60));
    });
    chart.addEventListener("mouseleave", () => {
      cursor.setAttribute("visibility", "hidden");
      time.textContent = "";
    });
  }
})();
"""

POLICY = "default-src 'none'; style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'"


def page(title: str, body: Html) -> str:
    """A whole page. Its policy lets run what is written here and nothing else, whatever a title holds.

    Args:
        title: from a stranger.
        body: made with `ui.html.markup`.
    """
    return markup(
        """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<div id="tip" class="tip" role="tooltip" hidden></div>
<script>{script}</script>
</body>
</html>
""",
        policy=Html(POLICY.format(style=_hash(STYLE), script=_hash(SCRIPT))),
        title=title,
        style=Html(STYLE),
        body=body,
        script=Html(SCRIPT),
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
