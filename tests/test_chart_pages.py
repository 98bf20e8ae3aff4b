"""The pages that show how highlights were found: self-contained, safe with any title, readable at any length."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from test_debug_document import lively, noise, quiet
from ui_page import HOSTILE, chromium

from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.config import MODES, DetectionConfig, Mode
from kick_clip_generator.highlights.detect import segment
from kick_clip_generator.highlights.segmentation import Segmentation
from kick_clip_generator.ui.charts.chart import MOST_WIDTH_PX, Scale, curve_lane
from kick_clip_generator.ui.charts.compare_page import compare_page
from kick_clip_generator.ui.charts.timeline_page import timeline_page

TITLE = f"</title></script><script>document.title='owned'</script>{HOSTILE}"
FOREIGN = re.compile(r"(?:https?:)?//[a-z]|@import|url\(", re.IGNORECASE)


class _Page(HTMLParser):
    """Counts elements, and collects attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.inside: dict[str, str] = {}
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.inside[self._open] = self.inside.get(self._open, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def found(timeline: Timeline) -> dict[Mode, Segmentation]:
    return {mode: segment(timeline, DetectionConfig(mode=mode)) for mode in MODES}


def pages(title: str, timeline: Timeline) -> list[str]:
    both = found(timeline)
    return [*(timeline_page(title, timeline, both[mode]) for mode in MODES), compare_page(title, timeline, both)]


TIMELINES = {
    "lively": lively(),
    "later": lively(7200),
    "3 s": noise(6),
    "one tick": noise(1),
    "empty": Timeline.unknown(NAMES, 0, 0),
    "all NaN": Timeline.unknown(NAMES, 0, 600),
    "quiet": quiet(600),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_nothing_is_fetched_and_nothing_foreign_is_run(name: str) -> None:
    for text in pages(TITLE, TIMELINES[name]):
        page = _Page(text)
        assert page.tags.count("script") == page.tags.count("style") == page.tags.count("title") == 1
        assert "img" not in page.tags and not any(attribute.startswith("on") for attribute, _ in page.attributes)
        assert not any(attribute in ("src", "style") for attribute, _ in page.attributes)
        assert all(value.startswith("#") for attribute, value in page.attributes if attribute == "href")
        assert not FOREIGN.search(text)
        policy = next(value for attribute, value in page.attributes if value.startswith("default-src"))
        for tag in ("script", "style"):
            digest = base64.b64encode(hashlib.sha256(page.inside[tag].encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
        assert "owned" not in page.inside["script"]
        assert "NaN" not in text and ">nan" not in text and "\u202e" not in text
        text.encode()


def test_every_clip_is_a_mark_and_a_row_with_its_reasons() -> None:
    timeline = lively()
    both = found(timeline)
    for mode in MODES:
        clips = both[mode].detection.merged
        assert len(clips) > 2
        text = timeline_page("A stream", timeline, both[mode])
        page = _Page(text)
        ids = [value for attribute, value in page.attributes if attribute == "id"]
        assert len(ids) == len(set(ids))
        links = {value[1:] for attribute, value in page.attributes if attribute == "href"}
        assert links <= set(ids)
        tips = [value for attribute, value in page.attributes if attribute == "data-tip"]
        for place, clip in enumerate(clips, 1):
            assert {f"clip-{place}", f"clip-mark-{place}"} <= links
            (tip,) = [tip for tip in tips if tip.startswith(f"{place}. ")]
            assert f"{clip.score:.3f}" in tip
            assert all(reason.text in tip for reason in clip.reasons)
        for anchor in both[mode].anchors:
            assert any(anchor.reason in tip for tip in tips)
        for decision in both[mode].decisions:
            if not decision.kept and decision.stage != "overlap":
                assert any(decision.reason in tip for tip in tips)


def test_ten_hours_are_a_page_of_handy_size() -> None:
    ticks = 72_000
    scale = Scale.over(0, ticks / 2)
    random = np.random.default_rng(0)
    values = random.standard_normal(ticks)
    values[50_000] = 30.0
    lane = curve_lane("x", values, scale, base=False)
    points = [tuple(map(float, point)) for point in re.findall(r"([\d.]+),([\d.]+)", lane.content)]
    assert scale.width_px == MOST_WIDTH_PX and len(points) == 2 * MOST_WIDTH_PX
    # One tick of 72,000 is still seen, where it was.
    top = min(points, key=lambda point: point[1])
    assert top[0] == pytest.approx(scale.x(25_000), abs=1.5) and top[1] == 1.0
    assert sorted(points, key=lambda point: point[1])[1][1] > 30


def test_gaps_stay_open() -> None:
    values = np.ones(600)
    values[200:300] = np.nan
    lane = curve_lane("x", values, Scale.over(0, 300), base=True)
    assert lane.content.count("M") == 2
    assert "not known" in curve_lane("x", values[200:300], Scale.over(0, 50), base=True).content


def test_clips_that_overlap_lie_under_each_other() -> None:
    timeline = lively()
    config = DetectionConfig(clip_duration_s=40.0)
    text = timeline_page("x", timeline, segment(timeline, config))
    heights = {int(y) for y in re.findall(r'<a id="clip-mark-\d+"[^>]*><rect[^>]* y="(\d+)"', text)}
    assert len(heights) > 1


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_real_browser(tmp_path: Path, scheme: str) -> None:
    files = {}
    for name in ("lively", "3 s", "all NaN"):
        for place, text in enumerate(pages(TITLE, TIMELINES[name])):
            path = tmp_path / f"{len(files)}.html"
            path.write_text(text, encoding="utf-8")
            files[path] = name == "lively" and place < len(MODES)
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url[:5] != "file:" else None)
        for path, has_clips in files.items():
            page.goto(path.as_uri())
            assert page.title().startswith("</title></script><script>")
            assert page.locator("h1").inner_text().startswith("</title></script><script>")
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 16, 22)")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            if has_clips:
                tip = page.locator("#tip")
                assert tip.is_hidden()
                page.keyboard.press("Tab")
                assert "score" in tip.inner_text() and "σ" in tip.inner_text()
                page.keyboard.press("Escape")
                assert tip.is_hidden()
                page.locator("#clip-mark-1").hover()
                assert tip.inner_text().startswith("1. ")
                assert page.locator(".time-here").text_content()
        context.close()
    assert complaints == []
