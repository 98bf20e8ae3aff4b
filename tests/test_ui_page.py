"""The page in a real browser: rating, browsing, generating."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from origin.media import make_media
from ui_page import HOSTILE, Site, a_site, chromium, visiting

from kick_clip_generator.library.records import JobQuery

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path) as site:
        yield site


def shown_clip(page: Any) -> int:
    return int(page.locator("#rate-card .tile").get_attribute("data-clip"))


def test_an_empty_library_says_what_to_do(site: Site, browser: Any) -> None:
    with visiting(browser, site.url) as visit:
        visit.page.get_by_text("Try the demo stream.").wait_for()
        visit.tab("Rate Clips")
        visit.page.get_by_text("Nothing to rate yet").wait_for()
        visit.tab("Browse & Download")
        visit.page.get_by_text("No clips yet").wait_for()


def test_rating_by_keys_and_mouse_goes_on_to_the_next(site: Site, browser: Any) -> None:
    ids = site.add_clips(4)
    with visiting(browser, site.url) as visit:
        page = visit.page
        visit.tab("Rate Clips")
        for position, rate in enumerate(
            (
                lambda: page.keyboard.press("4"),
                lambda: page.keyboard.press("s"),
                lambda: page.locator("#rate-card .stars label").nth(1).click(),
            )
        ):
            page.locator(f'#rate-card .tile[data-clip="{ids[position]}"]').wait_for()
            assert page.locator("#rate-card input:checked").count() == 0
            rate()
        page.locator(f'#rate-card .tile[data-clip="{ids[3]}"]').wait_for()
        page.get_by_text("Not enough ratings yet: 2 of 10").wait_for()
        page.keyboard.press("5")
        page.get_by_text("All clips are rated").wait_for()
        page.get_by_text("Not enough ratings yet: 3 of 10").wait_for()
    assert [site.library.clip(n).stars for n in ids] == [4, None, 2, 5]
    assert site.library.clip(ids[1]).skipped


def test_arrow_keys_choose_and_enter_rates(site: Site, browser: Any) -> None:
    first, second = site.add_clips(2)
    with visiting(browser, site.url) as visit:
        page = visit.page
        visit.tab("Rate Clips")
        page.locator(f'#rate-card .tile[data-clip="{first}"]').wait_for()
        page.locator("#rate-card .stars input").first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(500)
        assert shown_clip(page) == first and site.library.clip(first).stars is None
        page.keyboard.press("Enter")
        page.locator(f'#rate-card .tile[data-clip="{second}"]').wait_for()
        # The next clip does not wait until the stars are stored.
        page.get_by_text("Not enough ratings yet: 1 of 10").wait_for()
    assert site.library.clip(first).stars == 3


def test_keys_are_left_alone_while_somebody_types(site: Site, browser: Any) -> None:
    (clip,) = site.add_clips(1)
    with visiting(browser, site.url) as visit:
        visit.page.locator("#url textarea, #url input").fill("")
        visit.page.locator("#url textarea, #url input").press_sequentially("12345s")
        visit.tab("Browse & Download")
        search = visit.page.get_by_label("Search")
        search.press_sequentially("12345s")
        visit.page.wait_for_timeout(500)
    assert site.library.clip(clip).stars is None and not site.library.clip(clip).skipped


def test_ten_ratings_train_a_model(site: Site, browser: Any) -> None:
    ids = site.add_clips(10)
    for n, clip in enumerate(ids[:9]):
        site.library.rate(clip, 1 + n % 5, None)
    with visiting(browser, site.url) as visit:
        visit.tab("Rate Clips")
        visit.page.locator(f'#rate-card .tile[data-clip="{ids[9]}"]').wait_for()
        visit.page.keyboard.press("5")
        visit.page.get_by_text("All clips are rated").wait_for()
        visit.page.get_by_text(re.compile(r"model|train", re.I)).last.wait_for(timeout=60_000)
    assert site.library.rating_counts().rated_clips == 10


def test_hostile_text_stays_text(site: Site, browser: Any) -> None:
    site.add_clips(1, title=HOSTILE)
    with visiting(browser, site.url) as visit:
        for tab, where in (("Rate Clips", "#rate-card"), ("Browse & Download", "#browse-list")):
            visit.tab(tab)
            title = visit.page.locator(f"{where} h3")
            title.wait_for()
            assert title.inner_text().startswith("<img src=x onerror=") and "{{title}}" in title.inner_text()
            assert "<i>beats</i>" in visit.page.locator(f"{where} .reasons").inner_text()
        visit.tab("Generate Clips")
        visit.page.locator("#url textarea, #url input").fill("/nowhere/" + HOSTILE)
        visit.page.locator("#start").click()
        visit.page.locator("#run .box.error").wait_for()
        assert visit.page.title() == "Kick Clip Generator"


def test_browse_filters_pages_and_changes_stars(site: Site, browser: Any) -> None:
    ids = site.add_clips(13) + site.add_clips(1, title="Night ranked", kind="video")
    with visiting(browser, site.url) as visit:
        page = visit.page
        visit.tab("Browse & Download")
        tiles = page.locator("#browse-list .tile")
        page.locator(f'#browse-list .tile[data-clip="{ids[-1]}"]').wait_for()
        assert tiles.count() == 12
        page.locator("#next").click()
        page.locator(f'#browse-list .tile[data-clip="{ids[0]}"]').wait_for()
        assert tiles.count() == 2 and page.locator("#next").is_disabled()
        page.locator(f'#browse-list .tile[data-clip="{ids[0]}"] .stars label').nth(4).click()
        page.get_by_text("Not enough ratings yet: 1 of 10").wait_for()
        assert site.library.clip(ids[0]).stars == 5
        page.locator(f'#browse-list .tile[data-clip="{ids[0]}"] .stars label').nth(2).click()
        page.wait_for_timeout(300)
        page.locator("#previous").click()
        page.locator(f'#browse-list .tile[data-clip="{ids[-1]}"]').wait_for()
        page.get_by_label("Search").fill("night")
        page.wait_for_function("document.querySelectorAll('#browse-list .tile').length === 1")
        with page.expect_download() as download:
            page.get_by_text("Download this list").click()
        listed = json.loads(Path(download.value.path()).read_text())["clips"]
        assert [clip["id"] for clip in listed] == [ids[-1]]
        with page.expect_download() as download:
            page.locator("#browse-list .tile").get_by_text("Download").click()
        assert Path(download.value.path()).read_bytes() == site.media
        assert download.value.suggested_filename == site.library.clip(ids[-1]).name
        page.get_by_label("Search").fill("nothing has this name")
        page.get_by_text("No clip fits these filters").wait_for()
    assert site.library.clip(ids[0]).stars == 3


def test_a_video_of_a_tile_really_plays(site: Site, browser: Any) -> None:
    site.add_clips(1)
    with visiting(browser, site.url) as visit:
        visit.tab("Rate Clips")
        visit.page.locator("#rate-card video").wait_for()
        visit.page.wait_for_function("document.querySelector('#rate-card video').readyState >= 1")
        duration_s = visit.page.evaluate("document.querySelector('#rate-card video').duration")
        assert 0.8 < duration_s < 1.3


@pytest.mark.parametrize(
    ("label", "value", "sentence"),
    [
        ("Start minute", "-1", "start minute"),
        ("Clip length", "nan", "clip length"),
        ("Most sound clips", "26", "sound clips"),
    ],
)
def test_a_bad_number_is_told_and_starts_nothing(
    site: Site, browser: Any, label: str, value: str, sentence: str
) -> None:
    with visiting(browser, site.url) as visit:
        page = visit.page
        page.locator("#url textarea, #url input").fill("/nowhere/a.mp4")
        page.get_by_role("button", name="Options").click()
        page.wait_for_timeout(500)  # Gradio sets the fields once more while it opens the box
        page.get_by_label(label).fill(value)
        page.locator("#start").click()
        said = page.locator("#run .box.error")
        said.wait_for()
        assert sentence in said.inner_text().lower()
    assert not site.library.jobs().items


@pytest.mark.parametrize("width_px", [390, 1280])
def test_nothing_is_wider_than_the_screen_and_every_field_has_a_name(site: Site, browser: Any, width_px: int) -> None:
    site.add_clips(2, title="long " * 60)
    with visiting(browser, site.url, width_px=width_px) as visit:
        page = visit.page
        for tab in ("Generate Clips", "Rate Clips", "Browse & Download"):
            visit.tab(tab)
            page.wait_for_timeout(400)
            if tab == "Generate Clips":
                page.get_by_role("button", name="Options").click()
                page.wait_for_timeout(400)
            assert page.evaluate("document.documentElement.scrollWidth") <= width_px
            nameless = page.evaluate(
                """() => [...document.querySelectorAll('input, textarea, select, button, video, audio')]
                .filter(e => e.checkVisibility())
                .filter(e => !(e.ariaLabel || e.title || e.innerText?.trim() || e.labels?.length))
                .map(e => e.outerHTML)"""
            )
            assert nameless == []


@pytest.fixture
def working_site(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path / "site", workers=True) as site:
        yield site


def test_a_made_file_becomes_clips_and_a_reload_finds_them(working_site: Site, browser: Any, tmp_path: Path) -> None:
    from origin.media import ffmpeg

    calm, loud = make_media(tmp_path / "calm.mp4", duration_s=60), tmp_path / "a match.mp4"
    # Two bursts of noise in a quiet tone.
    ffmpeg(
        "-i", calm, "-f", "lavfi", "-i", "anoisesrc=d=60:a=0.9", "-filter_complex",
        "[0:a]volume=0.05[q];[1:a]volume='between(t,20,24)+between(t,42,46)':eval=frame[n];[q][n]amix=inputs=2:normalize=0[a]",
        "-map", "0:v", "-map", "[a]", "-c:v", "copy", "-c:a", "aac", loud,
    )  # fmt: skip
    site = working_site
    with visiting(browser, site.url) as visit:
        page = visit.page
        page.locator("#url textarea, #url input").fill(str(loud))
        page.locator("#start").click()
        page.locator("#run .progress, #run .box").first.wait_for()
        visit.reload()
        page.locator("#run .box").wait_for(timeout=120_000)
        assert "Done" in page.locator("#run .box").inner_text()
        (job,) = site.library.jobs(JobQuery(kind="analyze")).items
        assert page.url.endswith(f"?job={job.id}")
        page.locator("#results .tile").first.wait_for()
        found = page.locator("#results .tile").count()
        assert found == len(site.library.clips().items) > 0
        page.locator("#results .stars label").nth(3).click()
        page.get_by_text("Not enough ratings yet: 1 of 10").wait_for()
        visit.reload()
        page.locator("#results .tile").first.wait_for()
        assert page.locator("#results .tile").count() == found
        assert page.locator("#results input:checked").count() == 1
