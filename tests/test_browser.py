"""Each user agent talks like the browser it says it is."""

from __future__ import annotations

import pytest
from urllib3.util.request import ACCEPT_ENCODING

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.browser import browser_headers

URL = "https://cdn.example.com/a.m3u8"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36"
PHONE = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/139.0.0.0 Mobile Safari/537.36"
EDGE = f"{CHROME} Edg/141.0.0.0"
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15"
)
OLD_SAFARI = SAFARI.replace("18.5", "15.6")
IOS_CHROME = SAFARI.replace("Version/18.5", "CriOS/140.0.0.0 Mobile/15E148")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
PROGRAM = "curl/8.5.0"


def _hints(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("sec-ch-")}


def _metadata(headers: dict[str, str]) -> list[str]:
    return [headers.get(f"Sec-Fetch-{name}", "") for name in ("Site", "Mode", "Dest")]


@pytest.mark.parametrize(
    ("agent", "brands", "mobile", "platform"),
    [
        # As these releases were seen to send it.
        (CHROME, '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"', "?0", '"Windows"'),
        (PHONE, '"Not;A=Brand";v="99", "Google Chrome";v="139", "Chromium";v="139"', "?1", '"Android"'),
        (EDGE, '"Chromium";v="140", "Not=A?Brand";v="24", "Microsoft Edge";v="141"', "?0", '"Windows"'),
    ],
)
def test_chromium_gives_client_hints_that_fit_its_user_agent(
    agent: str, brands: str, mobile: str, platform: str
) -> None:
    hints = {"sec-ch-ua": brands, "sec-ch-ua-mobile": mobile, "sec-ch-ua-platform": platform}
    assert _hints(browser_headers(agent, URL)) == hints


@pytest.mark.parametrize("agent", [SAFARI, FIREFOX, IOS_CHROME, PROGRAM])
def test_nothing_else_does(agent: str) -> None:
    assert not _hints(browser_headers(agent, URL))


def test_every_version_names_its_three_brands() -> None:
    for version in range(89, 250):
        hints = browser_headers(CHROME.replace("140", str(version)), URL)["sec-ch-ua"]
        assert hints.count(f';v="{version}"') == 2 and hints.count('";v="') == 3
        assert '"Chromium"' in hints and '"Google Chrome"' in hints


def test_the_plain_web_hears_of_neither_hints_nor_metadata() -> None:
    remote = browser_headers(CHROME, "http://cdn.example.com/a.m3u8")
    assert not _hints(remote) and _metadata(remote) == ["", "", ""]
    here = browser_headers(CHROME, "http://127.0.0.1:8000/a.m3u8")
    assert _hints(here) and all(_metadata(here))


@pytest.mark.parametrize(("agent", "sent"), [(CHROME, True), (FIREFOX, True), (SAFARI, True), (OLD_SAFARI, False)])
def test_fetch_metadata_come_from_versions_that_know_them(agent: str, sent: bool) -> None:
    assert all(_metadata(browser_headers(agent, URL))) is sent


@pytest.mark.parametrize(
    ("page", "cors", "metadata"),
    [
        ("", False, ["same-origin", "cors", "empty"]),
        ("https://cdn.example.com/watch", False, ["same-origin", "cors", "empty"]),
        ("https://www.example.com/", True, ["same-site", "cors", "empty"]),
        ("https://www.example.com/", False, ["same-site", "no-cors", "empty"]),
        ("https://player.example.org", True, ["cross-site", "cors", "empty"]),
        ("http://[broken", False, ["cross-site", "no-cors", "empty"]),
    ],
)
def test_fetch_metadata_agree_with_the_page(page: str, cors: bool, metadata: list[str]) -> None:
    assert _metadata(browser_headers(CHROME, URL, page=page, cors=cors)) == metadata


def test_languages_are_the_browsers_own_and_a_program_has_none() -> None:
    languages = [browser_headers(agent, URL).get("Accept-Language") for agent in (CHROME, SAFARI, FIREFOX, PROGRAM)]
    assert languages == ["en-US,en;q=0.9", "en-US,en;q=0.9", "en-US,en;q=0.5", None]


@pytest.mark.parametrize("agent", [*Settings().user_agents, PROGRAM, ""])
def test_only_what_can_be_unpacked_is_accepted(agent: str) -> None:
    headers = browser_headers(agent, URL)
    assert headers["User-Agent"] == agent
    assert set(headers["Accept-Encoding"].split(", ")) == set(ACCEPT_ENCODING.split(","))


def test_the_agents_of_the_settings_are_browsers() -> None:
    for agent in Settings().user_agents:
        assert all(_metadata(browser_headers(agent, URL)))
