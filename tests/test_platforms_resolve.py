"""Links of Twitch and YouTube through the real yt-dlp and streamlink, which talk to the stand-ins of the platforms."""

from __future__ import annotations

import argparse
import json
import logging
import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.cli import doctor, link_check
from kick_clip_generator.core.errors import Cancelled, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings, with_changes
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.platforms.streamlink import resolve_streamlink
from kick_clip_generator.sources.platforms.ytdlp import resolve_ytdlp
from kick_clip_generator.sources.reader import open_reader
from kick_clip_generator.sources.renditions import for_analysis, for_clips
from kick_clip_generator.sources.resolve import ResolveError, resolve
from tests.origin import Origin, make_hls, make_media
from tests.origin.platforms import Asked, Platforms, Reply, kick, tls_context
from tests.origin.platforms.twitch import TOKEN, Twitch
from tests.origin.platforms.youtube import YouTube

VOD = "https://www.twitch.tv/videos/12345"
LIVE_PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\n180p_000.ts\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("origin")
    make_media(made / "game.mp4", duration_s=4)
    make_media(made / "picture.mp4", duration_s=4, audio=False)
    make_media(made / "sound.m4a", duration_s=4, video=False)
    make_hls(made / "vod", made / "game.mp4", renditions=[180, 240])
    return made


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as server:
        yield server


@pytest.fixture
def platforms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platforms]:
    with Platforms() as made:
        for name, value in made.env().items():
            monkeypatch.setenv(name, value)
        yield made
        assert made.refused == [], "somebody else was asked"


@pytest.fixture
def twitch(platforms: Platforms, origin: Origin) -> Twitch:
    made = Twitch(platforms, {"180p30": origin.url("vod/180p.m3u8"), "240p60": origin.url("vod/240p.m3u8?sig=s3cret")})
    made.videos = {"12345": "Chess 🔥", "666": "For members"}
    made.members_only = {"666"}
    made.channels = {"alive": "Now", "asleep": None}
    made.clips = {"Funny-Clip": "A clip"}
    return made


@pytest.fixture
def youtube(platforms: Platforms, origin: Origin) -> YouTube:
    files = {itag: origin.url(f"picture.mp4?itag={itag}") for itag in ("133", "242", "136")}
    files |= {"18": origin.url("game.mp4?itag=18"), "140": origin.url("sound.m4a?itag=140")}
    return YouTube(platforms, files, {"240p30": origin.url("vod/240p.m3u8")})


@pytest.fixture
def settings() -> Settings:
    return Settings(allowed_private_hosts="127.0.0.1", max_retries=0, request_timeout=5, backoff_factor=1)


def _failure(url: str, settings: Settings) -> ResolveError:
    with pytest.raises(ResolveError) as caught:
        resolve(url, settings)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and caught.value.exit_code == 2
    assert caught.value.reports
    return caught.value


def test_a_twitch_recording(
    twitch: Twitch, platforms: Platforms, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    source = resolve("https://m.twitch.tv/somebody/v/12345?t=1s", settings)
    assert (source.kind, source.provider, source.title) == ("hls", "yt-dlp", "Chess 🔥")
    assert (source.url, source.link, source.channel, source.live) == (VOD, VOD, "Streamer", False)
    assert source.duration_s == pytest.approx(4, abs=0.1)
    assert [rendition.name for rendition in source.renditions] == ["180p", "240p60"]
    assert source.renditions[0].bitrate_bps == 720_000 and source.renditions[0].has_audio
    assert source.fingerprint == "twitch:12345"
    said = caplog.text + repr(source)
    assert "s3cret" not in said and TOKEN["signature"] not in said
    assert {asked.host for asked in platforms.requests} == {"gql.twitch.tv", "usher.ttvnw.net"}


@pytest.mark.slow
def test_a_twitch_channel_that_is_live(twitch: Twitch, origin: Origin, settings: Settings) -> None:
    origin.page("/vod/live.m3u8", LIVE_PLAYLIST)
    twitch.playlists = {"180p30": origin.url("vod/live.m3u8"), "audio_only": origin.url("vod/live.m3u8?sound")}
    source = resolve("https://twitch.tv/ALIVE", settings)
    assert (source.kind, source.live, source.url) == ("hls", True, "https://www.twitch.tv/alive")
    assert math.isnan(source.duration_s)
    assert "4242" in source.fingerprint
    assert [rendition.name for rendition in source.renditions] == ["audio only", "180p"]
    assert for_analysis(source, settings).name == "180p"
    assert not source.title.endswith(tuple("0123456789"))


@pytest.mark.slow
def test_a_twitch_stream_from_its_start(twitch: Twitch, settings: Settings) -> None:
    twitch.channels["alive"] = "Now"
    twitch.recordings["alive"] = "12345"
    source = resolve("https://twitch.tv/alive", with_changes(settings, live_from="start"))
    # The recording that is being made stands for the stream.
    assert (source.title, source.url) == ("Chess 🔥", "https://www.twitch.tv/alive")
    assert resolve("https://twitch.tv/alive", settings).title != source.title


@pytest.mark.slow
@pytest.mark.parametrize("ask", [resolve_ytdlp, resolve_streamlink])
def test_a_twitch_clip_is_one_file(twitch: Twitch, origin: Origin, settings: Settings, ask: object) -> None:
    twitch.playlists = {"180p30": origin.url("game.mp4?a"), "360p30": origin.url("game.mp4?b")}
    with Inquiry("https://clips.twitch.tv/Funny-Clip", settings) as inquiry:
        source = ask(inquiry)  # type: ignore[operator]
    assert (source.kind, source.url) == ("http", "https://clips.twitch.tv/Funny-Clip")
    assert [rendition.height_px for rendition in source.renditions] == [180, 360]
    assert source.fingerprint == "twitch:Funny-Clip"
    with open_reader(source, source.renditions[0], settings) as reader:
        assert reader.info.has_audio and reader.info.has_video


@pytest.mark.slow
def test_streamlink_takes_over(
    twitch: Twitch, platforms: Platforms, origin: Origin, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It takes https addresses only.
    origin._server.socket = tls_context("127.0.0.1").wrap_socket(origin._server.socket, server_side=True)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", platforms.env()["SSL_CERT_FILE"])
    twitch.playlists["audio_only"] = origin.url("vod/180p.m3u8?sound")
    twitch.playlists = {name: url.replace("http:", "https:") for name, url in twitch.playlists.items()}
    answer = twitch._gql

    def changed_for_ytdlp(asked: Asked) -> object:
        # Its client id, in extractor/twitch.py of yt-dlp 2026.10.26.
        return {"errors": []} if asked.headers["client-id"].startswith("ue6666") else answer(asked)

    platforms.answer("gql.twitch.tv", "/gql", changed_for_ytdlp)
    source = resolve(VOD, settings)
    assert (source.provider, source.kind, source.title, source.channel) == ("streamlink", "hls", "Chess 🔥", "Streamer")
    assert [rendition.name for rendition in source.renditions] == ["audio only", "180p", "240p60"]
    assert source.duration_s == pytest.approx(4, abs=0.1)
    # The same recording, whoever finds it.
    assert source.fingerprint == "twitch:12345"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "outcome", "words", "providers"),
    [
        ("https://www.twitch.tv/asleep", "offline", "recording", ["yt-dlp", "streamlink"]),
        ("https://www.twitch.tv/nobody", "gone", "does not exist", ["yt-dlp", "streamlink"]),
        ("https://www.twitch.tv/videos/1", "gone", "check the link", ["yt-dlp", "streamlink"]),
        ("https://www.twitch.tv/videos/666", "login", "--cookies FILE", ["yt-dlp", "streamlink"]),
    ],
)
def test_what_is_not_there_or_not_for_everybody(
    twitch: Twitch, settings: Settings, url: str, outcome: str, words: str, providers: list[str]
) -> None:
    error = _failure(url, settings)
    assert error.outcome == outcome and words in str(error)
    assert [report.provider for report in error.reports] == providers


@pytest.mark.slow
def test_cookies_open_what_is_for_members(
    twitch: Twitch, platforms: Platforms, settings: Settings, tmp_path: Path
) -> None:
    jar = tmp_path / "cookies.txt"
    text = (
        "# Netscape HTTP Cookie File\n"
        ".ttvnw.net\tTRUE\t/\tTRUE\t0\tauth-token\tme\n"
        ".twitch.tv\tTRUE\t/\tTRUE\t0\tauth-token\tme\n"
        ".bank.example\tTRUE\t/\tTRUE\t0\tmoney\ts3cret\n"
    )
    jar.write_text(text)
    source = resolve("https://www.twitch.tv/videos/666", with_changes(settings, cookies_file=jar))
    assert source.title == "For members"
    assert jar.read_text() == text
    assert "s3cret" not in str([asked.headers for asked in platforms.requests])
    assert "s3cret" not in "".join(source.cookies)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply("<html>blocked</html>", 403), "blocked"),
        (Reply("<html>no</html>", 429), "rate_limited"),
        (Reply("<html>gone</html>", 404), "site_changed"),
        (Reply([{"data": {"video": {"name": "new"}}}]), "site_changed"),
        (Reply("<html>it works</html>"), "site_changed"),
        (Reply("<html>sorry</html>", 503), "server"),
    ],
)
def test_a_platform_that_answers_oddly(platforms: Platforms, settings: Settings, reply: Reply, outcome: str) -> None:
    platforms.answer("gql.twitch.tv", "/gql", reply)
    error = _failure(VOD, settings)
    assert error.outcome == outcome, error.reports
    assert len(error.reports) == 2


@pytest.mark.slow
def test_no_network(platforms: Platforms, settings: Settings) -> None:
    platforms.offline = True
    error = _failure(VOD, settings)
    assert error.outcome == "unreachable" and "network" in str(error)


@pytest.mark.slow
def test_renditions_that_only_the_tool_may_read(twitch: Twitch, origin: Origin, settings: Settings) -> None:
    origin.fail("/vod/180p.m3u8", 403)
    source = resolve(VOD, settings)
    assert [rendition.name for rendition in source.renditions] == ["240p60"]
    origin.fail("/vod/240p.m3u8", 403)
    error = _failure(VOD, settings)
    assert error.outcome == "blocked" and "media" in str(error)


@pytest.mark.slow
def test_a_platform_cannot_lead_to_this_network(twitch: Twitch, settings: Settings) -> None:
    twitch.playlists = {"180p30": "http://169.254.169.254/latest/meta-data.m3u8"}
    with Inquiry(VOD, settings) as inquiry, pytest.raises(SourceError) as caught:
        resolve_ytdlp(inquiry)
    assert caught.value.outcome == "refused"


@pytest.mark.slow
def test_a_youtube_recording_has_its_sound_apart(youtube: YouTube, settings: Settings) -> None:
    youtube.videos["dQw4w9WgXcQ"] = "A recording"
    source = resolve("https://youtu.be/dQw4w9WgXcQ?si=tracking", settings)
    assert (source.kind, source.provider, source.url) == (
        "http",
        "yt-dlp",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    )
    assert (source.title, source.duration_s, source.fingerprint) == ("A recording", 4.0, "youtube:dQw4w9WgXcQ")
    facts = [(rendition.name, rendition.has_audio, rendition.audio_url[-3:]) for rendition in source.renditions]
    # One codec a size: the same 240p in VP9 is left out.
    assert facts == [("audio only", True, ""), ("240p", False, "140"), ("360p", True, ""), ("720p", False, "140")]
    assert for_analysis(source, settings).codecs.startswith("avc1")
    assert for_clips(source, settings).name == "720p"


@pytest.mark.slow
@pytest.mark.parametrize("url", ["https://www.youtube.com/live/bbbbbbbbbbb", "https://www.youtube.com/@alive/live"])
def test_youtube_live(youtube: YouTube, origin: Origin, settings: Settings, url: str) -> None:
    origin.page("/vod/live.m3u8", LIVE_PLAYLIST)
    youtube.playlists = {"240p30": origin.url("vod/live.m3u8")}
    youtube.videos["bbbbbbbbbbb"] = "Running"
    youtube.live.add("bbbbbbbbbbb")
    youtube.channels["@alive"] = "bbbbbbbbbbb"
    source = resolve(url, settings)
    assert (source.kind, source.live, source.title) == ("hls", True, "Running")
    # The video stays when the channel's page goes on to the next one.
    assert source.url == source.link == "https://www.youtube.com/watch?v=bbbbbbbbbbb"
    assert [rendition.name for rendition in source.renditions] == ["240p"]


# shape: what YouTube puts into playabilityStatus, as quoted in extractor/youtube/_video.py of yt-dlp 2026.10.26
@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "reason", "outcome", "words"),
    [
        ("LIVE_STREAM_OFFLINE", "This live event will begin in 5 hours.", "offline", "in 5 hours"),
        ("LOGIN_REQUIRED", "Sign in to confirm you’re not a bot", "blocked", "--cookies-from-browser"),
        ("LOGIN_REQUIRED", "Private video", "login", "--cookies FILE"),
        ("UNPLAYABLE", "Join this channel to get access to members-only content", "login", "--cookies FILE"),
        ("ERROR", "Video unavailable", "gone", "check the link"),
        ("UNPLAYABLE", "The uploader has not made this video available in your country", "geo_blocked", "country"),
    ],
)
def test_youtube_says_no(
    youtube: YouTube, settings: Settings, status: str, reason: str, outcome: str, words: str
) -> None:
    youtube.videos["ccccccccccc"] = "No"
    youtube.playability["ccccccccccc"] = (status, reason)
    error = _failure("https://www.youtube.com/watch?v=ccccccccccc", settings)
    assert error.outcome == outcome and words in str(error), error.reports


@pytest.mark.slow
def test_a_youtube_channel_that_is_not_live(youtube: YouTube, settings: Settings) -> None:
    youtube.channels["@asleep"] = ""
    assert _failure("https://www.youtube.com/@asleep/live", settings).outcome == "offline"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vod", "vod without a channel", "live", "clip"])
def test_yt_dlp_knows_kick_too(platforms: Platforms, origin: Origin, settings: Settings, kind: str) -> None:
    origin.page("/vod/live.m3u8", LIVE_PLAYLIST)
    kick.serve_video(platforms, origin.url("vod/master.m3u8"))
    kick.serve_live(platforms, origin.url("vod/live.m3u8"))
    kick.serve_clip(platforms, origin.url("vod/180p.m3u8"))
    url = {
        "vod": kick.VIDEO_URL,
        "vod without a channel": f"https://kick.com/video/{kick.VIDEO_ID}",
        "live": kick.CHANNEL_URL,
        "clip": kick.CLIP_URL,
    }[kind]
    with Inquiry(url, settings) as inquiry:
        source = resolve_ytdlp(inquiry)
    assert source is not None
    assert (source.kind, source.provider, source.url, source.live) == ("hls", "yt-dlp", url, kind == "live")
    # A browser's TLS handshake and headers, which Kick insists on.
    assert "Mozilla" in platforms.requests[0].headers["user-agent"]
    # The same, whoever finds it.
    assert source.fingerprint == resolve(url, settings).fingerprint


@pytest.mark.slow
def test_kick_is_asked_in_three_ways(platforms: Platforms, settings: Settings) -> None:
    kick.block(platforms)
    error = _failure(kick.VIDEO_URL, settings)
    assert error.outcome == "blocked" and "--cookies-from-browser" in str(error)
    assert [report.provider for report in error.reports] == ["kick", "yt-dlp", "streamlink"]


@pytest.mark.parametrize(
    "url",
    [
        "--exec=id",
        "file:///etc/passwd",
        "concat:a|b",
        "data:text/plain,x",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://kick.com.nobody.invalid/xqc",
        "ytsearch:kick",
        "bv1.youtube",
    ],
)
def test_no_tool_sees_what_is_no_platforms_link(platforms: Platforms, url: str) -> None:
    with pytest.raises(SourceError):
        resolve(url, Settings(max_retries=0))
    assert platforms.requests == []


@pytest.mark.slow
def test_stopping_does_not_wait_for_a_tool(platforms: Platforms, settings: Settings) -> None:
    released, finished = threading.Event(), threading.Event()
    cancel = CancelToken()

    def hang(_: Asked) -> dict[str, object]:
        cancel.cancel()
        released.wait(60)
        finished.set()
        return {}

    platforms.answer("gql.twitch.tv", "/gql", hang)
    try:
        with pytest.raises(Cancelled):
            resolve(VOD, with_changes(settings, request_timeout=60), cancel)
        assert not finished.is_set()
    finally:
        released.set()


@pytest.mark.slow
def test_the_doctor_looks_at_a_link(
    twitch: Twitch, settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    args = parser.parse_args(["--url", VOD, "--json", "report.json"])
    args.quiet = False
    # streamlink takes no http addresses of media, which here stands for a provider that fails.
    assert doctor.run(args, settings) == 0
    said = capsys.readouterr().out
    assert "ok    yt-dlp" in said and "warn  streamlink" in said and "'Chess 🔥' by Streamer, 4 s" in said
    assert "180p, 0.72 Mbit/s" in said and "<- analysis" in said and "<- clips" in said
    assert "its beginning can be read: h264 320x180, aac" in said
    assert "127.0.0.1" not in said and "s3cret" not in said
    assert len(json.loads(Path("report.json").read_text())["checks"]) == 6


@pytest.mark.slow
def test_the_doctor_names_what_does_not_work(
    twitch: Twitch, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    for url, word in ((VOD.replace("12345", "1"), "gone"), ("file:///etc/passwd", "refused")):
        args = parser.parse_args(["--url", url])
        args.quiet = False
        assert doctor.run(args, settings) == 1
        assert word in capsys.readouterr().out


def test_the_doctor_says_when_yt_dlp_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_check, "STALE_DAYS", -(10**6))
    findings = {finding[0]: finding for finding in link_check.check_tools()}
    assert findings["yt-dlp"][1] == "warn" and "install -U" in findings["yt-dlp"][-1]
    assert findings["streamlink"][1] == findings["deno"][1] == "ok"
