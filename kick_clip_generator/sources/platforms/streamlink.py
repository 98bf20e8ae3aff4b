"""streamlink as a provider: the second opinion on platforms, in a child process like yt-dlp."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.platforms import outcomes
from kick_clip_generator.sources.platforms.children import Output, run_module, workplace
from kick_clip_generator.sources.platforms.cookies import user_cookies
from kick_clip_generator.sources.platforms.findings import Finding, checked_source, kept_headers
from kick_clip_generator.sources.platforms.links import PlatformLink
from kick_clip_generator.sources.renditions import ranked

log = logging.getLogger(__name__)

PROVIDER = "streamlink"

# "1080p60", "720p", "480p30+a128k"; "audio_only" and "audio_opus"; other names ("best", "clip") tell no size.
_SIZE = re.compile(r"(\d{3,4})p(\d{2,3})?(?![\d_a-z])")
_PORTRAIT = re.compile(r"_portrait|_alt")


def resolve_streamlink(inquiry: Inquiry) -> Source | None:
    """What streamlink finds behind a link of a platform; None for other links, and those of a kind it does not know.

    Raises:
        SourceError: when it finds nothing, with the outcome that its complaint stands for.
        Cancelled: when the cancel token is up.
    """
    link = inquiry.link
    if link is None or not _is_known(link):
        return None
    with workplace(user_cookies(inquiry.settings, inquiry.cancel)) as (folder, jar):
        output = run_module(
            "streamlink", _arguments(link, inquiry.settings, jar), folder, inquiry.settings, inquiry.cancel
        )
    try:
        finding = _finding(link, _checked(link, output))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        log.info("streamlink described %s in an unknown way: %s", link.url, type(error).__name__)
        raise outcomes.refusal(link, "site_changed") from None
    return checked_source(finding, inquiry)


def _is_known(link: PlatformLink) -> bool:
    if link.platform == "kick":
        # It looks recordings up by their channel.
        return link.kind != "vod" or bool(link.channel)
    return True


def _arguments(link: PlatformLink, settings: Settings, jar: Path) -> list[str]:
    args = ["--no-config", "--no-plugin-sideloading", "--no-plugin-cache", "--auto-version-check", "no"]
    # It would start the user's browser and solve Kick's challenge there.
    args += ["--webbrowser", "no", "--http-timeout", f"{settings.request_timeout:g}"]
    return [*args, "--http-cookies-file", str(jar), "--json", "--url", link.url]


def _checked(link: PlatformLink, output: Output) -> dict[str, Any]:
    found = json.loads(output.stdout)
    complaint = found.get("error")
    if not complaint and found.get("streams"):
        return dict(found)
    complaint = str(complaint or output.stderr[-1000:])
    detail = outcomes.tidy(complaint)
    log.info("streamlink could not resolve %s: %s", link.url, detail)
    if "No playable streams" in complaint:
        # All it says of what is offline, gone, for members or away for another reason.
        if link.kind == "live":
            raise outcomes.refusal(link, "offline")
        raise outcomes.refusal(link, "failed", "streamlink found no stream")
    outcome = outcomes.judge(complaint, link.platform)
    raise outcomes.refusal(link, outcome, detail if outcome in ("blocked", "failed") else "")


def _finding(link: PlatformLink, found: Mapping[str, Any]) -> Finding:
    """Raises:
    SourceError: when no stream can be read.
    """
    streams: dict[str, Mapping[str, Any]] = {}
    for name, stream in found["streams"].items():
        # "best" and "worst" repeat others, which come before them.
        if isinstance(stream.get("url"), str) and stream["url"] not in [other["url"] for other in streams.values()]:
            streams[str(name)] = stream
    whole = {name: stream for name, stream in streams.items() if not _PORTRAIT.search(name)} or streams
    hls = {name: stream for name, stream in whole.items() if stream.get("type") == "hls"}
    chosen = hls or {name: stream for name, stream in whole.items() if stream.get("type") == "http"}
    if not chosen:
        raise outcomes.refusal(link, "site_changed")
    metadata = found.get("metadata") or {}
    some = next(iter(chosen.values()))
    return Finding(
        link=link,
        provider=PROVIDER,
        kind="hls" if hls else "http",
        renditions=ranked(_rendition(name, stream["url"]) for name, stream in chosen.items()),
        title=_text(metadata.get("title")),
        channel=_text(metadata.get("author")),
        duration_s=math.nan,
        live=link.kind == "live",
        stream=_text(metadata.get("id")),
        headers=kept_headers(some.get("headers") or {}),
    )


def _rendition(name: str, url: str) -> Rendition:
    size = _SIZE.search(name)
    sound_alone = name.startswith("audio")
    return Rendition(
        url=url,
        height_px=int(size[1]) if size else 0,
        fps=float(size[2]) if size and size[2] else math.nan,
        has_video=False if sound_alone else None,
        has_audio=True if sound_alone else None,
    )


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) else ""
