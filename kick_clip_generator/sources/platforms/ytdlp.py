"""yt-dlp as a provider: it runs in a child process, is told one platform's page, and describes what is there as JSON.

Only the extractors of that platform are on. What it found is read by our own guarded client.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.net.authorities import own_authority
from kick_clip_generator.sources.platforms import outcomes
from kick_clip_generator.sources.platforms.children import Output, run_module, workplace
from kick_clip_generator.sources.platforms.cookies import parse_cookies, user_cookies
from kick_clip_generator.sources.platforms.findings import Finding, checked_source, kept_headers
from kick_clip_generator.sources.platforms.links import Platform, PlatformLink, recognise
from kick_clip_generator.sources.renditions import ranked, with_sound

log = logging.getLogger(__name__)

PROVIDER = "yt-dlp"

# "youtube:tab" turns a channel's /live page into the video that runs there.
_EXTRACTORS: Mapping[Platform, str] = {
    "kick": "kick:live,kick:vod,kick:clip",
    "twitch": "twitch:stream,twitch:vod,twitch:clips",
    "youtube": "youtube,youtube:tab",
}
_HLS = ("m3u8", "m3u8_native")
_HTTP = ("http", "https")
# Of several codecs at one size, the first is the cheapest to decode and plays everywhere after a cut without encoding.
_CODECS = ("avc", "h264", "hev", "hvc", "vp9", "vp09", "av01")
# When a complaint says more than the outcome that it stands for does.
_TELLS_MORE = {
    "offline": re.compile(r"will begin|premieres?|waiting|has ended", re.IGNORECASE),
    "blocked": re.compile(r"not a bot|IP is likely", re.IGNORECASE),
    "login": re.compile(r"."),
    "failed": re.compile(r"."),
}
_NOTHING = re.compile(r"(?!)")
# yt-dlp adds the time to the title of what is live.
_TIME = re.compile(r" \d{4}-\d\d-\d\d \d\d:\d\d$")
_LEAST_HEIGHT_PX = 160
_MAX_FORMATS = 2000


def resolve_ytdlp(inquiry: Inquiry) -> Source | None:
    """What yt-dlp finds behind a link of a platform; None for other links.

    Raises:
        SourceError: when it finds nothing, with the outcome that its complaint stands for.
        Cancelled: when the cancel token is up.
    """
    link = inquiry.link
    if link is None:
        return None
    with workplace(user_cookies(inquiry.settings, inquiry.cancel)) as (folder, jar):
        output = run_module("yt_dlp", _arguments(link, inquiry.settings, jar), folder, inquiry.settings, inquiry.cancel)
        cookies = _cookies(jar)
    try:
        finding = _finding(link, _checked(link, output), cookies)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        log.info("yt-dlp described %s in an unknown way: %s", link.url, type(error).__name__)
        raise outcomes.refusal(link, "site_changed") from None
    return checked_source(finding, inquiry)


def _arguments(link: PlatformLink, settings: Settings, jar: Path) -> list[str]:
    args = ["--ignore-config", "--no-plugin-dirs", "--no-cache-dir", "--color", "no_color", "--no-progress"]
    args += ["--use-extractors", _EXTRACTORS[link.platform], "--no-playlist", "--playlist-items", "1"]
    # Any format will do: which ones are read is chosen here, and yt-dlp fails when its own choice is not there.
    args += ["--format", "bv*/ba*", "--dump-single-json", "--extractor-retries", "1"]
    args += ["--socket-timeout", f"{settings.request_timeout:g}", "--cookies", str(jar)]
    if own_authority():
        args += ["--compat-options", "no-certifi"]
    # Twitch then answers with the recording that is being made. YouTube's HLS playlists hold what can be rewound
    # anyway, and the flag would leave only formats that no other program can read.
    if settings.live_from == "start" and link.platform == "twitch":
        args.append("--live-from-start")
    return [*args, "--", _address(link)]


def _address(link: PlatformLink) -> str:
    if link.platform == "kick" and link.kind == "vod" and not link.channel:
        # yt-dlp knows only links with a channel, and looks the video up by its id alone.
        return f"https://kick.com/-/videos/{link.id}"
    return link.url


def _checked(link: PlatformLink, output: Output) -> dict[str, Any]:
    """The description, or the error that its complaint stands for."""
    complaints = [line.removeprefix("ERROR:") for line in output.stderr.splitlines() if line.startswith("ERROR:")]
    for line in output.stderr.splitlines():
        if line.startswith("WARNING:"):
            log.info("yt-dlp: %s", outcomes.tidy(line))
    info = json.loads(output.stdout) if output.stdout.strip() else None
    if info is not None and info.get("_type") == "playlist":
        entries = [entry for entry in info.get("entries") or () if entry]
        info = entries[0] if entries else None
    if info is not None:
        if info.get("live_status") == "is_upcoming":
            raise outcomes.refusal(link, "offline")
        return dict(info)
    complaint = complaints[-1] if complaints else output.stderr[-1000:]
    # A channel may be named "offline".
    complaint = complaint.replace(f"] {link.id or link.channel}: ", "] ")
    detail = outcomes.tidy(complaint.partition("] ")[2] or complaint)
    log.info("yt-dlp could not resolve %s: %s", link.url, detail or "no word")
    outcome = outcomes.judge(complaint, link.platform)
    if outcome in ("blocked", "site_changed", "failed") and "No supported JavaScript runtime" in output.stderr:
        detail = "without deno much of YouTube cannot be read: install it from deno.com or with pip install deno"
    elif not _TELLS_MORE.get(outcome, _NOTHING).search(detail):
        detail = ""
    raise outcomes.refusal(link, outcome, detail)


def _cookies(jar: Path) -> tuple[str, ...]:
    try:
        return parse_cookies(jar.read_text(encoding="utf-8"), "The cookie file of yt-dlp")
    except (InputError, OSError, UnicodeDecodeError):
        return ()


def _finding(link: PlatformLink, info: Mapping[str, Any], cookies: tuple[str, ...]) -> Finding:
    """Raises:
    SourceError: when no format can be read ("unsupported" where all are protected).
    """
    if link.platform == "youtube" and link.kind == "live":
        # The video stays when the stream is over, the channel's page goes on to the next one.
        link = recognise(f"https://www.youtube.com/watch?v={info['id']}") or link
    live = info.get("live_status") == "is_live" or info.get("is_live") is True
    formats = [item for item in info.get("formats") or () if isinstance(item.get("url"), str)][:_MAX_FORMATS]
    chosen, hls = _one_kind([item for item in formats if not item.get("has_drm")], live)
    if not chosen:
        raise outcomes.refusal(link, "unsupported" if any(item.get("has_drm") for item in formats) else "site_changed")
    return Finding(
        link=link,
        provider=PROVIDER,
        kind="hls" if hls else "http",
        renditions=_renditions(chosen),
        title=_TIME.sub("", _text(info.get("title"))) if live else _text(info.get("title")),
        channel=_text(info.get("channel") or info.get("uploader")),
        duration_s=_number(info.get("duration")),
        live=live,
        stream=_text(info.get("id")),
        headers=kept_headers(chosen[-1].get("http_headers") or {}),
        cookies=cookies,
    )


def _one_kind(formats: Sequence[Mapping[str, Any]], live: bool) -> tuple[list[Mapping[str, Any]], bool]:
    """The formats that are read alike, and whether they are HLS: the kind that has the better picture, HLS in doubt.

    A portrait crop that Twitch makes of a clip is left out when the whole picture is there.
    """
    whole = [item for item in formats if not str(item.get("format_id")).startswith("portrait")]
    usable = [item for item in whole or formats if not (_is_none(item, "vcodec") and _is_none(item, "acodec"))]
    hls = [item for item in usable if item.get("protocol") in _HLS]
    http = [item for item in usable if item.get("protocol") in _HTTP and item.get("ext") != "mhtml"]
    if live:
        return hls, True

    def height(items: Iterable[Mapping[str, Any]]) -> float:
        heights = [_number(item.get("height")) for item in items if not _is_none(item, "vcodec")]
        known = [value for value in heights if value >= _LEAST_HEIGHT_PX]
        # A picture of unknown size is better than none.
        return max(known, default=1.0 if heights else 0.0)

    return (hls, True) if hls and height(hls) >= height(http) else (http, False)


def _renditions(formats: Sequence[Mapping[str, Any]]) -> tuple[Rendition, ...]:
    """All sizes, one codec each, and the sounds of the original language."""
    pictures: dict[tuple[int, int], Mapping[str, Any]] = {}
    unsized: list[Mapping[str, Any]] = []
    for item in formats:
        if _is_none(item, "vcodec"):
            continue
        size = (_whole(item.get("height")), round(_known(item.get("fps"))))
        if not size[0]:
            unsized.append(item)
        elif size not in pictures or _preference(item) > _preference(pictures[size]):
            pictures[size] = item
    sounds = [item for item in formats if _is_none(item, "vcodec")]
    original = max((_known(item.get("language_preference")) for item in sounds), default=0.0)
    spoken = [item for item in sounds if _known(item.get("language_preference")) >= original]
    plain = [item for item in spoken if not str(item.get("format_id")).endswith("-drc")] or spoken
    audio = [_rendition(item) for item in plain]
    return ranked([*with_sound([_rendition(item) for item in (*pictures.values(), *unsized)], audio), *audio])


def _rendition(item: Mapping[str, Any]) -> Rendition:
    codecs = [item.get(name) for name in ("vcodec", "acodec")]
    return Rendition(
        url=item["url"],
        width_px=_whole(item.get("width")),
        height_px=_whole(item.get("height")),
        fps=_number(item.get("fps")),
        bitrate_bps=_number(item.get("tbr")) * 1000,
        codecs=",".join(_text(codec) for codec in codecs if codec and codec != "none"),
        # Of sound alone the playlist need not name the codec.
        has_audio=True if _is_none(item, "vcodec") else _has(item, "acodec"),
        has_video=_has(item, "vcodec"),
    )


def _preference(item: Mapping[str, Any]) -> tuple[bool, int, float]:
    """With its own sound before without, then by codec, then by bitrate."""
    codec = str(item.get("vcodec") or "")
    place = next((n for n, name in enumerate(_CODECS) if codec.startswith(name)), len(_CODECS))
    return not _is_none(item, "acodec"), -place, _known(item.get("tbr"))


def _has(item: Mapping[str, Any], codec: str) -> bool | None:
    value = item.get(codec)
    return value != "none" if value else None


def _is_none(item: Mapping[str, Any], codec: str) -> bool:
    return item.get(codec) == "none"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and value > 0 else math.nan


def _known(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value < 100_000 else 0


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else ""
