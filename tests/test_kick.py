"""Kick's links against stand-ins of its servers: each way and its failure, each outcome and its sentence."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pytest

from kick_clip_generator.core.errors import Cancelled, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Source
from kick_clip_generator.core.settings import Settings, load_settings
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.platforms.kick import KickError, resolve_kick
from tests.origin import Origin
from tests.origin.media import make_media
from tests.origin.platforms import Asked, Platforms, Reply, kick

SECRET = "s3cr3t-of-the-user"
TOKEN = "t0ken-of-a-signed-address"


@pytest.fixture
def platforms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platforms]:
    with Platforms() as platforms:
        for name, value in platforms.env().items():
            monkeypatch.setenv(name, value)
        yield platforms


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    """Playlists of a recording with two qualities and of a stream that goes on; nobody fetches their segments here."""
    folder = tmp_path / "media"
    folder.mkdir()
    media = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n" + "#EXTINF:4,\n0.ts\n#EXTINF:4,\n1.ts\n"
    lines = ["#EXTM3U"]
    for height, rate in ((160, 30), (1080, 60)):
        bits = height * 3000
        lines.append(f"#EXT-X-STREAM-INF:BANDWIDTH={bits},RESOLUTION={height * 16 // 9}x{height},FRAME-RATE={rate}")
        lines.append(f"{height}p.m3u8")
        (folder / f"{height}p.m3u8").write_text(media + "#EXT-X-ENDLIST\n")
    (folder / "master.m3u8").write_text("\n".join(lines) + "\n")
    (folder / "live.m3u8").write_text(media)
    with Origin(folder) as origin:
        yield origin


@pytest.fixture
def settings() -> Settings:
    return quick()


def quick(**changes: object) -> Settings:
    return load_settings(
        {"allowed_private_hosts": "127.0.0.1", "backoff_factor": 1, "max_retries": 0, "request_timeout": 5, **changes}
    )


def resolved(url: str, settings: Settings, cancel: CancelToken | None = None) -> Source:
    with Inquiry(url, settings, cancel) as inquiry:
        source = resolve_kick(inquiry)
    assert source is not None
    return source


def failed(url: str, settings: Settings) -> KickError:
    with pytest.raises(KickError) as caught:
        resolved(url, settings)
    return caught.value


def only(platforms: Platforms, *kept: tuple[str, str, object]) -> None:
    """Nothing is there but the given answers."""
    kick.block(platforms, reply=kick.not_found())
    for host, path, reply in kept:
        platforms.answer(host, path, reply)


def test_other_links_are_left_to_others(settings: Settings) -> None:
    for url in ("https://www.twitch.tv/videos/1", "https://example.com/a.m3u8", "kick.mp4"):
        with Inquiry(url, settings) as inquiry:
            assert resolve_kick(inquiry) is None


def test_a_recording_with_all_its_facts(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    kick.serve_video(platforms, origin.url("master.m3u8"))
    source = resolved(kick.VIDEO_URL + "?t=30", settings)
    assert (source.provider, source.kind, source.live) == ("kick", "hls", False)
    assert (source.title, source.channel) == ("A made-up recording", "Made_Up_Streamer")
    assert (source.url, source.link) == (kick.VIDEO_URL, kick.VIDEO_URL)
    assert source.duration_s == 8.0
    assert source.fingerprint == f"kick:{kick.VIDEO_ID}"
    assert [rendition.height_px for rendition in source.renditions] == [160, 1080]
    assert dict(source.headers) == {"Referer": "https://kick.com/", "Origin": "https://kick.com"}
    assert "/api/v1/video/" not in " ".join(platforms.paths())


def test_two_visits_have_one_fingerprint(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    kick.serve_video(platforms, origin.url("master.m3u8?token=one"))
    first = resolved(kick.VIDEO_URL, settings)
    kick.serve_video(platforms, origin.url("master.m3u8?token=two"))
    assert resolved(kick.VIDEO_URL, settings).fingerprint == first.fingerprint


WAYS: dict[str, Callable[[str], tuple[tuple[str, str, object], ...]]] = {
    "web": lambda url: (
        ("kick.com", kick.CHANNEL_PATH, kick.channel()),
        ("web.kick.com", kick.VIDEO_PATH, kick.video(url)),
    ),
    "mobile": lambda url: (
        ("kick.com", kick.CHANNEL_PATH, kick.channel()),
        ("mobile.kick.com", kick.VIDEO_PATH, kick.video(url)),
    ),
    "channel id of the page": lambda url: (
        ("kick.com", kick.PAGE_PATH, kick.page()),
        ("web.kick.com", kick.VIDEO_PATH, kick.video(url)),
    ),
    "channel id of the player": lambda url: (
        ("web.kick.com", kick.PLAYBACK_PATH, kick.playback("")),
        ("mobile.kick.com", kick.VIDEO_PATH, kick.video(url)),
    ),
    "list": lambda url: (("kick.com", kick.LIST_PATH, kick.channel_list(url)),),
    "player": lambda url: (("web.kick.com", kick.PLAYBACK_PATH, kick.playback(url)),),
    "player of a running stream": lambda url: (
        ("web.kick.com", kick.PLAYBACK_PATH, kick.playback("", dvr_url=url, status="live")),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_any_single_way_is_enough(platforms: Platforms, origin: Origin, settings: Settings, way: str) -> None:
    only(platforms, *WAYS[way](origin.url("master.m3u8")))
    assert resolved(kick.VIDEO_URL, settings).title == "A made-up recording"


def test_a_link_without_channel_is_found_by_the_player(
    platforms: Platforms, origin: Origin, settings: Settings
) -> None:
    only(platforms, *WAYS["channel id of the player"](origin.url("master.m3u8")))
    assert resolved(f"https://kick.com/video/{kick.VIDEO_ID}", settings).channel == "Made_Up_Streamer"


def test_the_player_is_asked_as_the_page_does(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    only(platforms, *WAYS["player"](origin.url("master.m3u8")))
    resolved(kick.VIDEO_URL, settings)
    asked = next(asked for asked in platforms.requests if asked.path == kick.PLAYBACK_PATH)
    assert asked.method == "POST"
    assert set(asked.json) == {"video_player", "video_session", "user_session"}
    assert asked.headers["origin"] == "https://kick.com"
    assert asked.headers["referer"] == kick.VIDEO_URL
    assert asked.headers["sec-fetch-mode"] == "cors"
    assert "upgrade-insecure-requests" not in asked.headers


def test_a_playlist_that_is_refused_sends_to_the_next_way(
    platforms: Platforms, origin: Origin, settings: Settings
) -> None:
    kick.serve_video(platforms, origin.url("elsewhere/master.m3u8"))
    platforms.answer("kick.com", kick.LIST_PATH, kick.channel_list(origin.url("master.m3u8")))
    origin.fail("/elsewhere/master.m3u8", 403)
    assert resolved(kick.VIDEO_URL, settings).duration_s == 8.0


def test_a_quality_that_is_refused_is_left_out(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    kick.serve_video(platforms, origin.url("master.m3u8"))
    origin.fail("/1080p.m3u8", 403)
    assert [rendition.height_px for rendition in resolved(kick.VIDEO_URL, settings).renditions] == [160]


def test_a_recording_that_still_runs_is_live(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    kick.serve_video(platforms, origin.url("live.m3u8"), is_live=True)
    source = resolved(kick.VIDEO_URL, settings)
    assert source.live
    assert source.duration_s != source.duration_s
    assert source.fingerprint == f"kick:{kick.VIDEO_ID}:live"


def test_a_live_channel(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    kick.serve_live(platforms, origin.url("live.m3u8"))
    source = resolved("https://www.kick.com/Made-Up-Streamer", settings)
    assert (source.live, source.title, source.channel) == (True, "A made-up stream", "Made_Up_Streamer")
    assert source.url == kick.CHANNEL_URL
    assert source.fingerprint == f"kick:{kick.STREAM_ID}:live"


def test_a_live_channel_without_its_own_record(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    only(platforms, ("kick.com", kick.LIVESTREAM_PATH, kick.livestream(origin.url("live.m3u8"))))
    assert resolved(kick.CHANNEL_URL, settings).title == "A made-up stream"


def test_a_live_channel_from_its_start(platforms: Platforms, origin: Origin) -> None:
    kick.serve_live(platforms, origin.url("now.m3u8"))
    running = kick.video(origin.url("live.m3u8"), is_live=True)
    platforms.answer("web.kick.com", kick.VIDEOS_PATH, kick.videos(kick.video(origin.url("old.m3u8")), running))
    source = resolved(kick.CHANNEL_URL, quick(live_from="start"))
    assert source.live
    assert source.renditions[0].url == origin.url("live.m3u8")
    assert (source.url, source.link) == (kick.CHANNEL_URL, kick.VIDEO_URL)


@pytest.mark.parametrize("recordings", [[], [{"id": "../../x?", "is_live": True}], [{"id": 3, "is_live": "yes"}]])
def test_from_the_start_falls_back_to_now(
    platforms: Platforms, origin: Origin, recordings: list[dict[str, object]]
) -> None:
    url = origin.url("live.m3u8")
    kick.serve_live(platforms, url)
    for recording in recordings:
        recording["recording_url"] = url
    platforms.answer("web.kick.com", kick.VIDEOS_PATH, {"data": recordings})
    source = resolved(kick.CHANNEL_URL, quick(live_from="start"))
    assert (source.live, source.link) == (True, kick.CHANNEL_URL)


def test_a_clip_of_segments(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    kick.serve_clip(platforms, origin.url("160p.m3u8"))
    source = resolved(f"https://kick.com/{kick.SLUG}?clip={kick.CLIP_ID}", settings)
    assert (source.kind, source.title, source.live) == ("hls", "A made-up clip", False)
    assert source.url == kick.CLIP_URL
    assert source.fingerprint == f"kick:{kick.CLIP_ID}"


def test_a_clip_that_is_one_file(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    make_media(origin.folder / "clip.mp4", duration_s=1.0)
    kick.serve_clip(platforms, origin.url("clip.mp4"))
    source = resolved(kick.CLIP_URL, settings)
    assert (source.kind, source.title, source.provider) == ("http", "A made-up clip", "kick")
    assert source.duration_s == pytest.approx(1.0, abs=0.1)
    assert source.fingerprint == f"kick:{kick.CLIP_ID}"


def test_offline(platforms: Platforms, settings: Settings) -> None:
    platforms.answer("kick.com", kick.CHANNEL_PATH, kick.channel())
    error = failed(kick.CHANNEL_URL, settings)
    assert error.outcome == "offline"
    assert "not live now" in str(error)
    assert kick.LIVESTREAM_PATH not in platforms.paths(), "a certain answer needs no second opinion"


def test_offline_as_the_stream_itself_says(platforms: Platforms, settings: Settings) -> None:
    only(platforms, ("kick.com", kick.LIVESTREAM_PATH, {"data": None}))
    assert failed(kick.CHANNEL_URL, settings).outcome == "offline"


@pytest.mark.parametrize("url", [kick.VIDEO_URL, kick.CHANNEL_URL, kick.CLIP_URL])
def test_gone(platforms: Platforms, settings: Settings, url: str) -> None:
    kick.block(platforms, reply=kick.not_found())
    platforms.answer("web.kick.com", kick.PLAYBACK_PATH, kick.playback_not_found())
    error = failed(url, settings)
    assert error.outcome == "gone"
    assert ("30 days" in str(error)) == (url == kick.VIDEO_URL)
    assert all(failure.error.outcome == "gone" for failure in error.failures)


def test_a_video_that_its_channel_no_longer_lists_is_gone(platforms: Platforms, settings: Settings) -> None:
    only(
        platforms,
        ("kick.com", kick.CHANNEL_PATH, kick.channel()),
        ("kick.com", kick.LIST_PATH, []),
        ("web.kick.com", kick.VIDEO_PATH, {"data": None}),
    )
    assert failed(kick.VIDEO_URL, settings).outcome == "gone"


def test_one_closed_address_does_not_mean_gone(platforms: Platforms, settings: Settings) -> None:
    kick.block(platforms, reply=kick.not_found())
    kick.block(platforms, "web.kick.com", kick.challenge())
    assert failed(kick.VIDEO_URL, settings).outcome == "blocked"


@pytest.mark.parametrize("status", ["sub_only", "subscriber_only", "private", "members"])
def test_members_only(platforms: Platforms, settings: Settings, status: str) -> None:
    kick.serve_video(platforms, None, status=status)
    error = failed(kick.VIDEO_URL, settings)
    assert error.outcome == "login"
    assert "--cookies" in str(error)


def test_members_only_is_not_gone_around(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    url = origin.url("master.m3u8")
    kick.serve_video(platforms, url, status="sub_only")
    assert failed(kick.VIDEO_URL, settings).outcome == "login"
    only(
        platforms,
        ("kick.com", kick.LIST_PATH, kick.channel_list(url, video={"uuid": kick.VIDEO_ID, "is_private": True})),
    )
    assert failed(kick.VIDEO_URL, settings).outcome == "login"
    assert not origin.requests


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply({"message": "Unauthenticated."}, 401), "login"),
        (Reply({"message": "This video is for subscribers only"}, 403), "login"),
        (Reply("", 451), "geo_blocked"),
        (Reply({"message": "This content is not available in your country"}, 403), "geo_blocked"),
        (Reply({"data": {"type": "geo", "details": "region not allowed"}}, 200), "geo_blocked"),
        (Reply({"message": "The video has been deleted"}, 410), "gone"),
        (kick.challenge(), "blocked"),
        (kick.refused(), "blocked"),
        (Reply("", 429), "rate_limited"),
        (Reply("", 503), "server"),
        (Reply("", 418), "site_changed"),
    ],
)
def test_what_the_servers_say(platforms: Platforms, settings: Settings, reply: Reply, outcome: str) -> None:
    kick.block(platforms, reply=reply)
    platforms.answer("kick.com", kick.CHANNEL_PATH, kick.channel())
    error = failed(kick.VIDEO_URL, settings)
    assert error.outcome == outcome
    assert len(str(error)) > 60
    assert str(error).endswith(".")


def test_each_browser_is_tried_once_and_then_the_host_is_left_alone(platforms: Platforms) -> None:
    kick.block(platforms)
    error = failed(kick.CHANNEL_URL, quick(max_retries=5))
    assert error.outcome == "blocked"
    agents = [asked.headers["user-agent"] for asked in platforms.requests if asked.path == kick.CHANNEL_PATH]
    assert len(set(agents)) == 4
    assert platforms.paths().count(kick.LIVESTREAM_PATH) == 1


def test_the_second_browser_gets_through(platforms: Platforms, origin: Origin) -> None:
    kick.serve_live(platforms, origin.url("live.m3u8"))

    def judge(asked: Asked) -> object:
        if "Chrome" in asked.headers["user-agent"]:
            return kick.challenge()
        return kick.channel(origin.url("live.m3u8"), live=True)

    platforms.answer("kick.com", kick.CHANNEL_PATH, judge)
    assert resolved(kick.CHANNEL_URL, quick(max_retries=1)).live
    assert kick.LIVESTREAM_PATH not in platforms.paths()


def test_a_fault_that_passes_is_waited_out(platforms: Platforms, origin: Origin) -> None:
    kick.serve_live(platforms, origin.url("live.m3u8"))
    replies = iter([Reply("", 502)])
    well = kick.channel(origin.url("live.m3u8"), live=True)
    platforms.answer("kick.com", kick.CHANNEL_PATH, lambda _: next(replies, Reply(well)))
    assert resolved(kick.CHANNEL_URL, quick(max_retries=1)).live
    assert kick.LIVESTREAM_PATH not in platforms.paths()


def test_no_network(platforms: Platforms, settings: Settings) -> None:
    platforms.offline = True
    error = failed(kick.CHANNEL_URL, settings)
    assert error.outcome == "unreachable"
    assert error.retryable


def test_a_certificate_that_nobody_vouches_for(
    platforms: Platforms, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certifi.where())
    assert failed(kick.CHANNEL_URL, settings).outcome == "tls"
    assert not platforms.requests


@pytest.mark.parametrize(
    ("reply", "lacks"),
    [
        ({"id": kick.CHANNEL_ID}, "livestream"),
        (kick.channel("", live=True), "playback_url"),
        ([], "object"),
        ("<html>new page</html>", "JSON"),
    ],
)
def test_a_changed_answer_names_what_it_lacks(
    platforms: Platforms, settings: Settings, reply: object, lacks: str
) -> None:
    only(platforms, ("kick.com", kick.CHANNEL_PATH, reply))
    error = failed(kick.CHANNEL_URL, settings)
    assert error.outcome == "site_changed"
    assert lacks in str(error)
    assert "yt-dlp" in str(error), "it says what to update"


HOSTILE: dict[str, object] = {
    "huge": b'{"id": 1, "x": "' + b"a" * 5_000_000 + b'"}',
    "deep": b"[" * 100_000,
    "long number": b'{"id": ' + b"9" * 10_000 + b"}",
    "not a number": b'{"id": NaN, "livestream": {}, "playback_url": Infinity}',
    "wrong types": kick.channel(live=True) | {"playback_url": ["a"], "user": 3, "livestream": {"session_title": {}}},
    "no text": b"\xff\xfe\x00",
    "empty": b"",
    "null": b"null",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_one_sentence(platforms: Platforms, settings: Settings, name: str) -> None:
    kick.block(platforms, reply=Reply(HOSTILE[name]))
    for url in (kick.CHANNEL_URL, kick.VIDEO_URL, kick.CLIP_URL):
        error = failed(url, settings)
        assert error.outcome in ("site_changed", "too_large"), (url, error)
        assert len(str(error)) < 700


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:application/vnd.apple.mpegurl,x",
        "http://169.254.169.254/latest/meta-data/x.m3u8",
        "http://2130706433/x.m3u8",
        "http://[::1]/x.m3u8",
        "https://kick.com\n.example.com/x.m3u8",
        "http://" + "a" * 10_000,
    ],
)
def test_addresses_that_must_not_be_read(platforms: Platforms, address: str) -> None:
    kick.serve_video(platforms, address)
    kick.serve_live(platforms, address)
    kick.serve_clip(platforms, address)
    for url in (kick.VIDEO_URL, kick.CHANNEL_URL, kick.CLIP_URL):
        assert failed(url, quick(allowed_private_hosts="")).outcome == "refused"


def test_a_private_host_is_allowed_by_name_only(platforms: Platforms, origin: Origin) -> None:
    kick.serve_video(platforms, origin.url("master.m3u8"))
    assert failed(kick.VIDEO_URL, quick(allowed_private_hosts="")).outcome == "refused"
    assert not origin.requests


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/api", "http://kick.com/api", "https://kick.com.evil.example/", "https://u:p@kick.com/",
     "https://kick.com:8443/", "file:///etc/passwd", "http://127.0.0.1/", "https://stream.kick.com/"],
)  # fmt: skip
def test_redirects_stay_with_kick(platforms: Platforms, settings: Settings, target: str) -> None:
    kick.block(platforms, reply=Reply("", 302, {"Location": target}))
    assert failed(kick.CHANNEL_URL, settings).outcome == "redirects"
    assert {asked.host for asked in platforms.requests} == {"kick.com"}
    assert not platforms.refused


def test_redirects_within_kick_are_followed(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    platforms.answer("kick.com", kick.CHANNEL_PATH, Reply("", 301, {"Location": "https://web.kick.com/moved"}))
    platforms.answer("web.kick.com", "/moved", kick.channel(origin.url("live.m3u8"), live=True))
    assert resolved(kick.CHANNEL_URL, settings).live


def test_redirects_in_a_circle_end(platforms: Platforms, settings: Settings) -> None:
    kick.block(platforms, reply=Reply("", 302, {"Location": kick.CHANNEL_URL}))
    assert failed(kick.CHANNEL_URL, settings).outcome == "redirects"
    assert len(platforms.requests) <= 2 * 6


def test_titles_hold_no_control_characters(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    title = "a\u202egpj.exe\x1b[31m\r\n<script>" + "b" * 1000
    kick.serve_video(platforms, origin.url("master.m3u8"), title=title)
    kept = resolved(kick.VIDEO_URL, settings).title
    assert kept.startswith("agpj.exe[31m<script>b")
    assert len(kept) == 300


def lend(tmp_path: Path) -> Path:
    path = tmp_path / "cookies.txt"
    lines = [
        f".kick.com\tTRUE\t/\tTRUE\t0\tsession_token\t77%7C{SECRET}",
        f"kick.com\tFALSE\t/\tTRUE\t0\tonly_here\t{SECRET}-host",
        f".twitch.tv\tTRUE\t/\tTRUE\t0\tauth-token\t{SECRET}-twitch",
    ]
    path.write_text("# Netscape HTTP Cookie File\n" + "\n".join(lines) + "\n")
    return path


def test_lent_cookies_open_a_members_video(platforms: Platforms, origin: Origin, tmp_path: Path) -> None:
    kick.serve_video(platforms, None, status="sub_only")

    def judge(asked: Asked) -> object:
        known = asked.headers.get("authorization") == f"Bearer 77|{SECRET}"
        return kick.video(origin.url("master.m3u8") if known else None, status="sub_only")

    platforms.answer("web.kick.com", kick.VIDEO_PATH, judge)
    source = resolved(kick.VIDEO_URL, quick(cookies_file=lend(tmp_path)))
    assert source.duration_s == 8.0
    sent = {asked.host: asked.headers.get("cookie", "") for asked in platforms.requests}
    assert f"only_here={SECRET}-host" in sent["kick.com"]
    assert "only_here" not in sent["web.kick.com"]
    assert "session_token" in sent["web.kick.com"]
    assert "twitch" not in " ".join(sent.values())
    assert {line.split("\t")[0].lstrip(".") for line in source.cookies} == {"kick.com"}
    assert not any("cookie" in seen.headers or "Cookie" in seen.headers for seen in origin.seen)


def test_a_token_cannot_add_headers(platforms: Platforms, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "cookies.txt"
    path.write_text(".kick.com\tTRUE\t/\tTRUE\t0\tsession_token\ta%0d%0aX-Added: 1\n")
    platforms.answer("kick.com", kick.CHANNEL_PATH, kick.channel())
    failed(kick.CHANNEL_URL, quick(cookies_file=path))
    assert not {"authorization", "x-added"} & set(platforms.requests[0].headers)


def test_cookies_that_kick_sets_come_along(platforms: Platforms, origin: Origin, settings: Settings) -> None:
    kick.serve_video(platforms, origin.url("master.m3u8"))
    cookie = {"Set-Cookie": "__cf_bm=abc; Domain=kick.com; Path=/; Secure; HttpOnly"}
    platforms.answer("kick.com", kick.CHANNEL_PATH, Reply(kick.channel(), 200, cookie))
    source = resolved(kick.VIDEO_URL, settings)
    assert any(line.endswith("\t__cf_bm\tabc") for line in source.cookies)
    asked = next(asked for asked in platforms.requests if asked.path == kick.VIDEO_PATH)
    assert asked.headers["cookie"] == "__cf_bm=abc"


def test_secrets_stay_out_of_logs_errors_and_reprs(
    platforms: Platforms, origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = quick(cookies_file=lend(tmp_path))
    kick.serve_video(platforms, origin.url(f"master.m3u8?token={TOKEN}"))
    source = resolved(kick.VIDEO_URL, settings)
    assert TOKEN in source.renditions[0].url or origin.requests
    kick.serve_video(platforms, origin.url(f"missing.m3u8?token={TOKEN}"))
    error = failed(kick.VIDEO_URL, settings)
    platforms.offline = True
    down = failed(kick.VIDEO_URL, settings)
    told = [str(error), repr(error), str(down), repr(source), caplog.text]
    told += [f"{failure} {failure.error}" for failure in (*error.failures, *down.failures)]
    for text in told:
        assert TOKEN not in text
        assert SECRET not in text


def test_a_stopped_run_returns_at_once(platforms: Platforms) -> None:
    asked = threading.Event()
    go_on = threading.Event()

    def never(_: Asked) -> object:
        asked.set()
        go_on.wait(20)
        return {}

    kick.block(platforms)
    platforms.answer("kick.com", kick.CHANNEL_PATH, never)
    cancel = CancelToken()
    threading.Thread(target=lambda: (asked.wait(10), cancel.cancel()), daemon=True).start()
    try:
        with pytest.raises(Cancelled):
            resolved(kick.CHANNEL_URL, quick(request_timeout=15), cancel)
        assert asked.is_set()
        assert not go_on.is_set(), "it did not wait for the answer"
    finally:
        go_on.set()


def test_a_stopped_run_does_not_sit_out_a_wait(platforms: Platforms) -> None:
    cancel = CancelToken()

    def busy(_: Asked) -> Reply:
        threading.Timer(0.2, cancel.cancel).start()
        return Reply("", 429, {"Retry-After": "30"})

    platforms.answer("kick.com", kick.CHANNEL_PATH, busy)
    with pytest.raises(Cancelled):
        resolved(kick.CHANNEL_URL, quick(max_retries=3), cancel)
    assert platforms.paths() == [kick.CHANNEL_PATH]


def test_a_silent_server_costs_its_time_limit(platforms: Platforms) -> None:
    go_on = threading.Event()
    kick.block(platforms, reply=Reply("", 404))
    platforms.answer("kick.com", f"{kick.CHANNEL_PATH}.*", lambda _: go_on.wait(20) and {})
    try:
        error = failed(kick.CHANNEL_URL, quick(request_timeout=0.3, max_retries=0))
    finally:
        go_on.set()
    assert error.outcome == "timeout"


def test_the_whole_search_has_a_time_limit(platforms: Platforms) -> None:
    def slow(_: Asked) -> Reply:
        time.sleep(0.6)
        return Reply("", 503)

    kick.block(platforms)
    platforms.answer("*kick.com", "/.*", slow)
    error = failed(kick.VIDEO_URL, quick(resolve_timeout=1, max_retries=5))
    assert error.outcome in ("server", "timeout")
    assert len(platforms.requests) <= 3


def test_a_look_alike_is_nobody_of_kick(settings: Settings) -> None:
    for url in ("https://kick.com.evil.example/x", "https://evilkick.com/x", "https://kick.com@evil.example/x"):
        with Inquiry(url, settings) as inquiry:
            assert resolve_kick(inquiry) is None


def test_without_curl_cffi_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setitem(sys.modules, "curl_cffi", None)
    with pytest.raises(SourceError, match=r"curl_cffi is not installed.*install"):
        resolved(kick.CHANNEL_URL, settings)
