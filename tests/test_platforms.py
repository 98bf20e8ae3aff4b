"""Which links are a platform's, which only look like it, and what the platforms' tools mean by what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kick_clip_generator.core.errors import OUTCOMES, SourceError
from kick_clip_generator.sources.platforms.links import NAMES, Platform, recognise
from kick_clip_generator.sources.platforms.outcomes import judge, refusal, tidy

VIDEO = "01a0251f-ef48-702d-9289-d66922da0e84"
CLIP = "clip_01GYXVB5Y8PWAPWCWMSBCFB05X"
CHANNEL = "UC" + "x-_9" * 5 + "ab"

LINKS = {
    "https://kick.com/xQc": ("kick", "live", "", "https://kick.com/xqc"),
    "http://www.kick.com:80/xqc/?utm=1#chat": ("kick", "live", "", "https://kick.com/xqc"),
    "https://player.kick.com/xqc?muted=true": ("kick", "live", "", "https://kick.com/xqc"),
    f"https://kick.com/xqc/videos/{VIDEO.upper()}": ("kick", "vod", VIDEO, f"https://kick.com/xqc/videos/{VIDEO}"),
    f"https://kick.com/video/{VIDEO}": ("kick", "vod", VIDEO, f"https://kick.com/video/{VIDEO}"),
    f"https://kick.com/mxddy?x=1&clip={CLIP}": ("kick", "clip", CLIP, f"https://kick.com/mxddy/clips/{CLIP}"),
    f"https://kick.com/mxddy/clips/{CLIP}": ("kick", "clip", CLIP, f"https://kick.com/mxddy/clips/{CLIP}"),
    "https://www.twitch.tv/Monstercat": ("twitch", "live", "", "https://www.twitch.tv/monstercat"),
    "https://m.twitch.tv/food": ("twitch", "live", "", "https://www.twitch.tv/food"),
    "https://player.twitch.tv/?channel=lotsofs&parent=x": ("twitch", "live", "", "https://www.twitch.tv/lotsofs"),
    "https://player.twitch.tv/?video=v123": ("twitch", "vod", "123", "https://www.twitch.tv/videos/123"),
    "https://www.twitch.tv/videos/123?t=5m10s": ("twitch", "vod", "123", "https://www.twitch.tv/videos/123"),
    "https://go.twitch.tv/riot/v/123": ("twitch", "vod", "123", "https://www.twitch.tv/videos/123"),
    "https://twitch.tv/riot/video/123": ("twitch", "vod", "123", "https://www.twitch.tv/videos/123"),
    "https://www.twitch.tv/riot/schedule?vodID=123": ("twitch", "vod", "123", "https://www.twitch.tv/videos/123"),
    "https://clips.twitch.tv/FaintLight-_9": (
        "twitch",
        "clip",
        "FaintLight-_9",
        "https://clips.twitch.tv/FaintLight-_9",
    ),
    "https://clips.twitch.tv/embed?clip=Faint": ("twitch", "clip", "Faint", "https://clips.twitch.tv/Faint"),
    "https://www.twitch.tv/xqc/clip/Faint-1?f=7d": ("twitch", "clip", "Faint-1", "https://clips.twitch.tv/Faint-1"),
    "https://www.youtube.com/watch?list=PL1&v=dQw4w9WgXc_": (
        "youtube",
        "vod",
        "dQw4w9WgXc_",
        "https://www.youtube.com/watch?v=dQw4w9WgXc_",
    ),
    f"https://www.youtube.com/channel/{CHANNEL}/live": (
        "youtube",
        "live",
        "",
        f"https://www.youtube.com/channel/{CHANNEL}/live",
    ),
    "https://m.youtube.com/@lofi.girl/live": ("youtube", "live", "", "https://www.youtube.com/@lofi.girl/live"),
    "https://www.youtube.com/@%C3%BCber/live": ("youtube", "live", "", "https://www.youtube.com/@%C3%BCber/live"),
    "https://www.youtube.com/c/LofiGirl/live": ("youtube", "live", "", "https://www.youtube.com/c/LofiGirl/live"),
} | {
    f"https://{form}": ("youtube", "vod", "dQw4w9WgXc-", "https://www.youtube.com/watch?v=dQw4w9WgXc-")
    for form in (
        "youtu.be/dQw4w9WgXc-?t=3",
        "music.youtube.com/watch?v=dQw4w9WgXc-",
        "www.youtube.com/live/dQw4w9WgXc-?feature=share",
        "youtube.com/shorts/dQw4w9WgXc-",
        "www.youtube-nocookie.com/embed/dQw4w9WgXc-",
    )
}


@pytest.mark.parametrize("url", LINKS)
def test_links_are_taken_apart_and_built_anew(url: str) -> None:
    link = recognise(url)
    assert link is not None
    assert (link.platform, link.kind, link.id, link.url) == LINKS[url]
    again = recognise(link.url)
    assert again is not None and again.url == link.url and again.id == link.id


@pytest.mark.parametrize(
    "url",
    [
        "https://kick.com.evil.org/xqc",
        "https://evil-kick.com/xqc",
        "https://kick.com@evil.org/xqc",
        "https://evil.org@kick.com/xqc",
        "https://kick.com:pass@kick.com/xqc",
        "https://kick.com:8443/xqc",
        "http://kick.com:443/xqc",
        "https://kick.com./xqc",
        "https://kick.com\\@evil.org/xqc",
        "https://evil.org/https://kick.com/xqc",
        "https://evil.org/?u=https://kick.com/xqc",
        "https://evil.org#kick.com/xqc",
        "https://kıck.com/xqc",
        "https://kick。com/xqc",
        "https://ki\nck.com/xqc",
        "https://kick.com/xqc --exec=id",
        "ftp://kick.com/xqc",
        "//kick.com/xqc",
        "kick.com/xqc",
        "https://[kick.com]/xqc",
        "https://stream.kick.com/ivs/master.m3u8",
        "https://usher.ttvnw.net/vod/1.m3u8",
        "https://notyoutube.com/watch?v=dQw4w9WgXcQ",
        "https://youtube.co/watch?v=dQw4w9WgXcQ",
        "https://xn--kck-gpa.com/xqc",
        "https://kick.com/" + "x" * 3000,
        "",
    ],
)
def test_look_alikes_are_strangers(url: str) -> None:
    assert recognise(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://kick.com/",
        "https://kick.com/browse",
        "https://kick.com/search?query=x",
        "https://kick.com/xqc/videos",
        "https://kick.com/xqc/clips",
        "https://kick.com/xqc/videos/1;id",
        "https://kick.com/--exec=id",
        "https://kick.com/%2e%2e%2fetc",
        "https://kick.com/xqc?clip=--exec",
        "https://www.twitch.tv/directory",
        "https://www.twitch.tv/riot/videos?filter=archives",
        "https://www.twitch.tv/videos/--exec",
        "https://clips.twitch.tv/",
        "https://www.youtube.com/@lofi",
        "https://www.youtube.com/@lofi/videos",
        "https://www.youtube.com/playlist?list=PL1",
        "https://www.youtube.com/watch?list=PL1",
        "https://www.youtube.com/watch?v=short",
        "https://www.youtube.com/results?search_query=x",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ%0a--exec",
        "https://www.youtube.com/channel/UCshort/live",
        "https://youtu.be/",
    ],
)
def test_other_pages_of_a_platform_get_a_sentence(url: str) -> None:
    with pytest.raises(SourceError, match="paste the link of one video") as caught:
        recognise(url)
    assert caught.value.outcome == "not_media"


@given(
    st.text(alphabet="abcXYZ019-_./?=&%@:#'\"$;|\\ éßкıｋ\u202e\n", max_size=80),
    st.sampled_from(["kick.com", "www.twitch.tv", "www.youtube.com"]),
)
def test_what_tools_get_holds_nothing_odd(rest: str, host: str) -> None:
    try:
        link = recognise(f"https://{host}/{rest}")
    except SourceError:
        return
    if link is not None:
        assert link.url.isascii() and link.url.startswith("https://")
        assert not set(link.url) & set(" \t\r\n\\'\"$;|`<>")


# File of an installed package, a piece of it, and a whole complaint as its user reads it.
YT = "yt_dlp/extractor"
MESSAGES: list[tuple[str, str, str, Platform, str]] = [
    (
        "yt_dlp/utils/_utils.py",
        "The channel is not currently live",
        "The channel is not currently live",
        "twitch",
        "offline",
    ),
    (
        f"{YT}/common.py",
        "This video is not available from your location due to geo restriction",
        "This video is not available from your location due to geo restriction",
        "youtube",
        "geo_blocked",
    ),
    (
        f"{YT}/youtube/_video.py",
        "The uploader has not made this video available in your country",
        "Video unavailable. The uploader has not made this video available in your country",
        "youtube",
        "geo_blocked",
    ),
    (
        f"{YT}/common.py",
        "only available for registered users",
        "This video is only available for registered users",
        "kick",
        "login",
    ),
    (
        f"{YT}/kick.py",
        "This video requires a channel subscription",
        "This video requires a channel subscription. Use --cookies",
        "kick",
        "login",
    ),
    (
        f"{YT}/twitch.py",
        "access to this subscriber-only content",
        "You must be logged into an account that has access to this subscriber-only content",
        "twitch",
        "login",
    ),
    (
        f"{YT}/twitch.py",
        "Your account does not have",
        "Your account does not have access to this subscriber-only content",
        "twitch",
        "login",
    ),
    (f"{YT}/twitch.py", "does not exist", "Video 12345 does not exist", "twitch", "gone"),
    (f"{YT}/twitch.py", "This clip is no longer available", "This clip is no longer available", "twitch", "gone"),
    (
        f"{YT}/youtube/_video.py",
        "confirm your age",
        "Sign in to confirm your age. This video may be inappropriate",
        "youtube",
        "login",
    ),
    (
        f"{YT}/youtube/_video.py",
        "Your IP is likely being blocked",
        "All player responses are invalid. Your IP is likely being blocked by Youtube",
        "youtube",
        "blocked",
    ),
    (
        f"{YT}/youtube/_video.py",
        "has been rate-limited by YouTube",
        "This content isn't available, try again later. The current session has been rate-limited by YouTube",
        "youtube",
        "rate_limited",
    ),
    (
        f"{YT}/youtube/_video.py",
        "is requiring a captcha",
        "Error. YouTube is requiring a captcha challenge",
        "youtube",
        "blocked",
    ),
    (f"{YT}/common.py", "This video is DRM protected", "This video is DRM protected", "youtube", "unsupported"),
    (
        f"{YT}/youtube/_video.py",
        "Failed to extract any player response",
        "Failed to extract any player response; please report",
        "youtube",
        "site_changed",
    ),
    (
        f"{YT}/common.py",
        "Unable to extract",
        "Unable to extract video data; please report this issue",
        "kick",
        "site_changed",
    ),
    (
        f"{YT}/common.py",
        "Unable to download JSON metadata",
        "Unable to download JSON metadata: HTTP Error 403: Forbidden (caused by <HTTPError 403: Forbidden>)",
        "kick",
        "blocked",
    ),
    (
        f"{YT}/common.py",
        "Unable to download JSON metadata",
        "Unable to download JSON metadata: HTTP Error 404: Not Found (caused by <HTTPError 404: Not Found>)",
        "kick",
        "gone",
    ),
    (
        f"{YT}/common.py",
        "Unable to download JSON metadata",
        "Unable to download JSON metadata: HTTP Error 404: Not Found (caused by <HTTPError 404: Not Found>)",
        "twitch",
        "site_changed",
    ),
    (
        f"{YT}/common.py",
        "Unable to download JSON metadata",
        "Unable to download JSON metadata: HTTP Error 429: Too Many Requests",
        "twitch",
        "rate_limited",
    ),
    (
        f"{YT}/common.py",
        "Unable to download webpage",
        "Unable to download webpage: Failed to perform, curl: (6) Could not resolve host: kick.com. See https://curl.se/",
        "kick",
        "unreachable",
    ),
    (
        f"{YT}/common.py",
        "Unable to download webpage",
        "Unable to download webpage: HTTPSConnection(host='www.youtube.com', port=443): Failed to resolve "
        "'www.youtube.com' ([Errno -3] Temporary failure in name resolution)",
        "youtube",
        "unreachable",
    ),
    (
        f"{YT}/common.py",
        "Unable to download webpage",
        "Unable to download webpage: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed",
        "youtube",
        "tls",
    ),
    (
        f"{YT}/common.py",
        "Unable to download webpage",
        "Unable to download webpage: The read operation timed out",
        "twitch",
        "timeout",
    ),
    (
        "yt_dlp/YoutubeDL.py",
        "No video formats found",
        "No video formats found!; please report this issue",
        "twitch",
        "site_changed",
    ),
    (
        "streamlink/plugins/kick.py",
        "Error while querying Kick API",
        "Error while querying Kick API: 403 Client Error: Forbidden for url: https://kick.com/api/v2/channels/404",
        "kick",
        "blocked",
    ),
    (
        "streamlink/session/http.py",
        "Unable to open URL",
        "Unable to open URL: https://gql.twitch.tv/gql (404 Client Error)",
        "twitch",
        "site_changed",
    ),
    (
        "streamlink/plugins/youtube.py",
        "does not support protected videos",
        "This plugin does not support protected videos, try yt-dlp instead",
        "youtube",
        "unsupported",
    ),
    (
        "streamlink/validate/_exception.py",
        "ValidationError",
        "Unable to validate response text: ValidationError(dict): Key 'data' not found",
        "twitch",
        "site_changed",
    ),
]

# What the sites say, as the tools pass it on.
SAID: list[tuple[str, Platform, str]] = [
    ("Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies", "youtube", "blocked"),
    ("Private video. Sign in if you've been granted access to this video", "youtube", "login"),
    ("Join this channel to get access to members-only content like this video", "youtube", "login"),
    ("Video unavailable", "youtube", "gone"),
    ("Video unavailable. This video is private", "youtube", "login"),
    ("This video has been removed by the uploader", "youtube", "gone"),
    ("This video is no longer available because the YouTube account has been terminated.", "youtube", "gone"),
    ("This live event will begin in 5 hours.", "youtube", "offline"),
    ("Premieres in 26 minutes", "youtube", "offline"),
    ("This live stream recording is not available.", "youtube", "gone"),
    ("The service is having an odd day", "youtube", "failed"),
]


@pytest.mark.parametrize(("file", "piece", "complaint", "platform", "outcome"), MESSAGES)
def test_complaints_of_the_installed_tools(
    file: str, piece: str, complaint: str, platform: Platform, outcome: str
) -> None:
    spec = importlib.util.find_spec(file.partition("/")[0])
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).parent.parent.joinpath(file).read_text(encoding="utf-8")
    assert piece in text, "the tool does not say this any more"
    assert judge(complaint, platform) == outcome


@pytest.mark.parametrize(("complaint", "platform", "outcome"), SAID)
def test_complaints_of_the_sites(complaint: str, platform: Platform, outcome: str) -> None:
    assert judge(complaint, platform) == outcome


@pytest.mark.parametrize("outcome", [*OUTCOMES])
@pytest.mark.parametrize(
    "url", ["https://kick.com/xqc", f"https://kick.com/video/{VIDEO}", "https://youtu.be/dQw4w9WgXcQ"]
)
def test_every_outcome_is_one_sentence(outcome: str, url: str) -> None:
    link = recognise(url)
    assert link is not None
    error = refusal(link, outcome, "its reason")
    assert error.outcome == outcome
    sentence = str(error)
    assert sentence.endswith(".") and "\n" not in sentence and sentence[0].isupper()
    assert NAMES[link.platform] in sentence


def test_what_to_do_next_is_said() -> None:
    link = recognise("https://kick.com/xqc")
    assert link is not None
    assert "--cookies FILE" in str(refusal(link, "login")) and "--cookies-from-browser" in str(refusal(link, "login"))
    assert "install -U" in str(refusal(link, "site_changed")) and "yt-dlp" in str(refusal(link, "site_changed"))
    assert "recording" in str(refusal(link, "offline"))


def test_complaints_are_tidied() -> None:
    complaint = (
        "Unable to open URL: https://usher.ttvnw.net/vod/1.m3u8?sig=s3cret&token=t0ken (HTTPSConnectionPool("
        "host='usher.ttvnw.net', port=443): Max retries exceeded with url: /vod/1.m3u8?sig=s3cret (Caused by X))\x1b[0m"
        "; please report this issue on https://github.com/yt-dlp/yt-dlp/issues?q="
    )
    shown = tidy(complaint)
    assert "s3cret" not in shown and "t0ken" not in shown and "report" not in shown and "\x1b" not in shown
    assert "usher.ttvnw.net/vod/1.m3u8" in shown
    assert len(tidy("x" * 10_000)) <= 300
