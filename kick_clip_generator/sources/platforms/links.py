"""Which links belong to Kick, Twitch or YouTube, and what they name.

yt-dlp and streamlink do their own HTTP, so they only ever get addresses that were taken apart here and built anew from
checked ids; nothing of what somebody pasted reaches them as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from kick_clip_generator.core.errors import SourceError

Platform = Literal["kick", "twitch", "youtube"]
LinkKind = Literal["live", "vod", "clip"]

NAMES: Mapping[Platform, str] = {"kick": "Kick", "twitch": "Twitch", "youtube": "YouTube"}
MAX_LINK_CHARS = 2048

_HOSTS: Mapping[str, Platform] = {
    "kick.com": "kick",
    "www.kick.com": "kick",
    "m.kick.com": "kick",
    "player.kick.com": "kick",
    "twitch.tv": "twitch",
    "www.twitch.tv": "twitch",
    "m.twitch.tv": "twitch",
    "go.twitch.tv": "twitch",
    "clips.twitch.tv": "twitch",
    "player.twitch.tv": "twitch",
    "youtube.com": "youtube",
    "www.youtube.com": "youtube",
    "m.youtube.com": "youtube",
    "music.youtube.com": "youtube",
    "youtube-nocookie.com": "youtube",
    "www.youtube-nocookie.com": "youtube",
    "youtu.be": "youtube",
    "www.youtu.be": "youtube",
}
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")

_KICK_SLUG = re.compile(r"[a-z0-9_-]{1,60}", re.ASCII | re.IGNORECASE)
_KICK_VIDEO = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_KICK_CLIP = re.compile(r"clip_[A-Za-z0-9_-]{4,60}", re.ASCII)
_TWITCH_LOGIN = re.compile(r"[a-z0-9_]{2,30}", re.ASCII | re.IGNORECASE)
_TWITCH_VIDEO = re.compile(r"v?(\d{1,15})", re.ASCII)
_TWITCH_CLIP = re.compile(r"[A-Za-z0-9_-]{4,120}", re.ASCII)
_YOUTUBE_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
_YOUTUBE_CHANNEL = re.compile(r"UC[A-Za-z0-9_-]{22}", re.ASCII)
# Handles may hold letters of any script; they are percent-encoded when the address is built.
_YOUTUBE_HANDLE = re.compile(r"@[\w.·-]{3,30}")
_YOUTUBE_NAME = re.compile(r"[\w.-]{1,60}")

# First path parts that name pages of the site and no channel.
_KICK_PAGES = re.compile(
    r"about|auth|browse|categories|category|clips|community-guidelines|dashboard|following|login|privacy-policy|search|"
    r"settings|signup|subscriptions|terms-of-service|videos?"
)
_TWITCH_PAGES = re.compile(
    r"collections|directory|downloads|drops|event|friends|inventory|jobs|login|p|prime|search|settings|signup|store|"
    r"subs|subscriptions|team|turbo|u|videos|wallet"
)


@dataclass(frozen=True, slots=True)
class PlatformLink:
    """What a link names.

    Attributes:
        platform: whose it is.
        kind: "live" (whatever a channel streams now), "vod" (one video, which may still be running) or "clip".
        id: of the video or clip; empty for "live".
        channel: as the link has it, lower case on Kick and Twitch; empty when it does not tell. On YouTube with what
            goes before it: "@name", "channel/UC…", "c/name".
        url: the page, built anew.
    """

    platform: Platform
    kind: LinkKind
    id: str
    channel: str
    url: str

    @property
    def name(self) -> str:
        """For sentences: "the Kick channel xqc", "this Twitch video"."""
        if self.kind == "live":
            return f"the {NAMES[self.platform]} channel {self.channel.rpartition('/')[2].lstrip('@')}"
        return f"this {NAMES[self.platform]} {'clip' if self.kind == 'clip' else 'video'}"


def recognise(url: str) -> PlatformLink | None:
    """What a web address names on Kick, Twitch or YouTube; None for an address elsewhere.

    Only the exact hosts of the platforms count, with http or https on their own ports and without credentials, so that
    look-alikes are strangers' addresses like any other.

    Raises:
        SourceError: for a page of a platform that is not one video, clip or channel ("not_media").
    """
    if len(url) > MAX_LINK_CHARS or _UNPRINTABLE.search(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or "@" in parts.netloc or port not in (None, 443 if scheme == "https" else 80):
        return None
    host = parts.hostname or ""
    platform = _HOSTS.get(host)
    if platform is None:
        return None
    path = [unquote(part, errors="replace") for part in parts.path.split("/") if part]
    # The first of several values counts, as in the browsers' own links.
    query = dict(reversed(parse_qsl(parts.query, max_num_fields=100))) if parts.query.count("&") < 100 else {}
    if platform == "kick":
        link = _kick(host, path, query)
    elif platform == "twitch":
        link = _twitch(host, path, query)
    else:
        link = _youtube(host, path, query)
    if link is None:
        wanted = "a channel with /live at its end" if platform == "youtube" else "a channel"
        raise SourceError(
            f"This page of {NAMES[platform]} is not one video; paste the link of one video or clip, or of {wanted}.",
            outcome="not_media",
        )
    return link


def _kick(host: str, path: Sequence[str], query: Mapping[str, str]) -> PlatformLink | None:
    match path:
        case ["video", video] if _KICK_VIDEO.fullmatch(video):
            video = video.lower()
            return PlatformLink("kick", "vod", video, "", f"https://kick.com/video/{video}")
        case [slug, *rest] if _KICK_SLUG.fullmatch(slug) and not _KICK_PAGES.fullmatch(slug.lower()):
            slug = slug.lower()
        case _:
            return None
    page = f"https://kick.com/{slug}"
    match rest:
        case ["videos", video] if _KICK_VIDEO.fullmatch(video):
            return PlatformLink("kick", "vod", video.lower(), slug, f"{page}/videos/{video.lower()}")
        case ["clips", clip] if _KICK_CLIP.fullmatch(clip):
            return PlatformLink("kick", "clip", clip, slug, f"{page}/clips/{clip}")
        case [] if "clip" in query and host != "player.kick.com":
            clip = query["clip"]
            return (
                PlatformLink("kick", "clip", clip, slug, f"{page}/clips/{clip}") if _KICK_CLIP.fullmatch(clip) else None
            )
        case []:
            return PlatformLink("kick", "live", "", slug, page)
    return None


def _twitch(host: str, path: Sequence[str], query: Mapping[str, str]) -> PlatformLink | None:
    if host == "player.twitch.tv":
        path = ["videos", query["video"]] if "video" in query else [query.get("channel", "")]
    elif host == "clips.twitch.tv":
        path = ["clip", query.get("clip", "") if path == ["embed"] else path[-1]] if path else []
    elif path[1:] == ["schedule"] and "vodID" in query:
        path = ["videos", query["vodID"]]
    match path:
        case ["videos", video] | [_, "v" | "video" | "videos", video] if number := _TWITCH_VIDEO.fullmatch(video):
            return PlatformLink("twitch", "vod", number[1], "", f"https://www.twitch.tv/videos/{number[1]}")
        case ["clip", clip] | [_, "clip", clip] if _TWITCH_CLIP.fullmatch(clip):
            return PlatformLink("twitch", "clip", clip, "", f"https://clips.twitch.tv/{clip}")
        case [login] if _TWITCH_LOGIN.fullmatch(login) and not _TWITCH_PAGES.fullmatch(login.lower()):
            return PlatformLink("twitch", "live", "", login.lower(), f"https://www.twitch.tv/{login.lower()}")
    return None


def _youtube(host: str, path: Sequence[str], query: Mapping[str, str]) -> PlatformLink | None:
    if host.endswith("youtu.be"):
        return _youtube_video(path[0]) if len(path) == 1 else None
    match path:
        case ["watch"]:
            return _youtube_video(query.get("v", ""))
        case ["embed", "live_stream"]:
            return _youtube_live(f"channel/{query['channel']}") if "channel" in query else None
        case ["live" | "shorts" | "embed" | "v" | "e", video]:
            return _youtube_video(video)
        case [handle, "live"] if handle.startswith("@"):
            return _youtube_live(handle)
        case ["channel" | "c" | "user" as kind, name, "live"]:
            return _youtube_live(f"{kind}/{name}")
    return None


def _youtube_video(video: str) -> PlatformLink | None:
    if not _YOUTUBE_VIDEO.fullmatch(video):
        return None
    return PlatformLink("youtube", "vod", video, "", f"https://www.youtube.com/watch?v={video}")


def _youtube_live(channel: str) -> PlatformLink | None:
    kind, _, name = channel.rpartition("/")
    pattern = {"": _YOUTUBE_HANDLE, "channel": _YOUTUBE_CHANNEL}.get(kind, _YOUTUBE_NAME)
    if not pattern.fullmatch(name):
        return None
    return PlatformLink("youtube", "live", "", channel, f"https://www.youtube.com/{quote(channel, safe='/@')}/live")
