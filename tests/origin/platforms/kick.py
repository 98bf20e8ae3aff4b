"""What Kick's servers answer, made by hand after public descriptions of their shape; nothing here talks to Kick.

Each function names where its shape can be seen. Ids, names and titles are made up.
"""

from __future__ import annotations

from typing import Any

from tests.origin.platforms import Platforms, Reply

SLUG = "made-up-streamer"
CHANNEL_ID = 668_001
VIDEO_ID = "019f704e-f6b8-7e32-af4a-c911dc98686b"
CLIP_ID = "clip_01J8RGZRKHXHXXKJEHGRM932A5"
STREAM_ID = 123_735_729

CHANNEL_URL = f"https://kick.com/{SLUG}"
VIDEO_URL = f"{CHANNEL_URL}/videos/{VIDEO_ID}"
CLIP_URL = f"{CHANNEL_URL}/clips/{CLIP_ID}"

CHANNEL_PATH = f"/api/v2/channels/{SLUG}"
LIVESTREAM_PATH = f"{CHANNEL_PATH}/livestream"
LIST_PATH = f"{CHANNEL_PATH}/videos"
VIDEOS_PATH = f"/api/v1/channels/{CHANNEL_ID}/videos"
VIDEO_PATH = f"{VIDEOS_PATH}/{VIDEO_ID}"
PLAYBACK_PATH = f"/api/v1/stream/{VIDEO_ID}/playback"
PAGE_PATH = f"/{SLUG}/videos/{VIDEO_ID}"
CLIP_PATH = f"/api/v2/clips/{CLIP_ID}"


def channel(playback_url: str = "", *, live: bool = False, **changes: Any) -> dict[str, Any]:
    """`kick.com/api/v2/channels/{slug}`, as yt-dlp's extractor/kick.py (KickIE) reads it, and as the README of
    https://github.com/BankkRoll/kick.com-api prints it."""
    stream = {
        "id": STREAM_ID,
        "slug": "abc-a-title",
        "is_live": True,
        "session_title": "A made-up stream",
        "start_time": "2026-11-21 09:00:00",
        "created_at": "2026-11-21 09:00:02",
        "viewer_count": 12,
        "is_mature": False,
        "categories": [{"id": 15, "name": "Just Chatting"}],
        "tags": [],
    }
    return {
        "id": CHANNEL_ID,
        "user_id": CHANNEL_ID + 1,
        "slug": SLUG,
        "is_banned": False,
        "playback_url": playback_url,
        "vod_enabled": True,
        "subscription_enabled": False,
        "followers_count": 1,
        "livestream": stream if live else None,
        "user": {"id": CHANNEL_ID + 1, "username": "Made_Up_Streamer", "bio": ""},
        **changes,
    }


def livestream(playback_url: str) -> dict[str, Any]:
    """`kick.com/api/v2/channels/{slug}/livestream`, as streamlink's plugins/kick.py reads it; `{"data": null}` when
    nothing is on."""
    return {
        "data": {
            "id": STREAM_ID,
            "playback_url": playback_url,
            "session_title": "A made-up stream",
            "category": {"id": 15, "name": "Just Chatting"},
        }
    }


def video(recording_url: str | None, **changes: Any) -> dict[str, Any]:
    """One recording, of `web.kick.com` and `mobile.kick.com/api/v1/channels/{id}/videos/{id}`: printed in
    https://github.com/yt-dlp/yt-dlp/issues/17284; `recording_url` as streamlink's plugins/kick.py reads it."""
    facts = {
        "category": {"id": 8549, "name": "IRL", "slug": "irl"},
        "channel": {"id": CHANNEL_ID, "slug": SLUG, "username": "Made_Up_Streamer"},
        "duration": 25514,
        "end_time": "2026-11-17T20:47:40Z",
        "id": VIDEO_ID,
        "is_live": False,
        "is_mature": False,
        "language": "en",
        "start_time": "2026-11-17T13:40:51Z",
        "status": "public",
        "tags": ["irl"],
        "title": "A made-up recording",
        "viewer_count": 3,
        **changes,
    }
    return {"data": facts if recording_url is None else {**facts, "recording_url": recording_url}}


def videos(*recordings: dict[str, Any]) -> dict[str, Any]:
    """`web.kick.com/api/v1/channels/{id}/videos`, as yt-dlp's extractor/kick.py (KickVideosIE) reads it."""
    return {"data": [recording["data"] for recording in recordings]}


def playback(vod_url: str, *, dvr_url: str = "", status: str = "vod") -> dict[str, Any]:
    """The answer to a POST to `web.kick.com/api/v1/stream/{id}/playback`: printed in
    https://github.com/yt-dlp/yt-dlp/issues/17284, and read by yt-dlp's extractor/kick.py (KickVODIE)."""
    return {
        "playback_url": {"dvr": dvr_url, "live": "", "vod": vod_url},
        "video_session": {
            "creator_id": str(CHANNEL_ID),
            "video_id": VIDEO_ID,
            "video_title": "A made-up recording",
            "video_series": SLUG,
            "video_duration": 25514,
            "video_stream_status": status,
        },
    }


def channel_list(source: str, **changes: Any) -> list[dict[str, Any]]:
    """`kick.com/api/v2/channels/{slug}/videos`; the record as in https://github.com/yt-dlp/yt-dlp/issues/13442."""
    recording = {
        "id": STREAM_ID,
        "slug": "abc-a-title",
        "channel_id": CHANNEL_ID,
        "created_at": "2026-11-17 13:40:51",
        "session_title": "A made-up recording",
        "is_live": False,
        "start_time": "2026-11-17 13:40:50",
        "source": source,
        "duration": 25_514_000,
        "video": {"id": 5, "live_stream_id": STREAM_ID, "uuid": VIDEO_ID, "is_private": False, "status": "public"},
        **changes,
    }
    return [{**recording, "id": 1, "video": {"uuid": "00000000-0000-4000-8000-000000000000"}}, recording]


def clip(clip_url: str) -> dict[str, Any]:
    """`kick.com/api/v2/clips/{id}`, as yt-dlp's extractor/kick.py (KickClipIE) and streamlink's plugins/kick.py
    read it."""
    return {
        "clip": {
            "id": CLIP_ID,
            "title": "A made-up clip",
            "clip_url": clip_url,
            "video_url": clip_url,
            "duration": 43,
            "created_at": "2026-11-17T15:00:00Z",
            "category": {"id": 15, "name": "Just Chatting"},
            "channel": {"id": CHANNEL_ID, "slug": SLUG, "username": "Made_Up_Streamer"},
        }
    }


def page() -> str:
    """The page of a recording: its data lie escaped in scripts, as the page reader of
    https://github.com/streamlink/streamlink/pull/7108 finds them."""
    script = f'self.__next_f.push([1,"5:{{\\"video\\":{{\\"channel_id\\":{CHANNEL_ID},\\"title\\":\\"t\\"}}}}"])'
    return f"<!DOCTYPE html><html><body><script>{script}</script></body></html>"


def not_found() -> Reply:
    """For what is gone: the message of Laravel, on which kick.com runs."""
    return Reply({"message": "Not Found"}, 404)


def playback_not_found() -> Reply:
    """The player's own word for it: `type` and `details` as yt-dlp's extractor/kick.py (KickVODIE) reads them."""
    return Reply({"data": {"type": "not_found", "details": "stream not found"}}, 404)


def challenge() -> Reply:
    """The page of the guard in front of Kick, in short:
    https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/."""
    body = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
    return Reply(body, 403, {"cf-mitigated": "challenge", "Server": "cloudflare"})


def refused() -> Reply:
    """What data centers get: https://github.com/KickEngineering/KickDevDocs/issues/225."""
    return Reply({"error": "Request blocked by security policy.", "reference": "9e4db7e3"}, 403)


def serve_video(platforms: Platforms, recording_url: str | None, **changes: Any) -> None:
    """A recording that every way finds at one address, and its channel, which is offline."""
    platforms.answer("kick.com", CHANNEL_PATH, channel())
    platforms.answer("kick.com", PAGE_PATH, page())
    for host in ("web.kick.com", "mobile.kick.com"):
        platforms.answer(host, VIDEO_PATH, video(recording_url, **changes))
    platforms.answer("web.kick.com", VIDEOS_PATH, videos(video(recording_url, **changes)))
    platforms.answer("kick.com", LIST_PATH, channel_list(recording_url or ""))
    platforms.answer("web.kick.com", PLAYBACK_PATH, playback(recording_url or ""))


def serve_live(platforms: Platforms, playback_url: str) -> None:
    """A channel that is live."""
    platforms.answer("kick.com", CHANNEL_PATH, channel(playback_url, live=True))
    platforms.answer("kick.com", LIVESTREAM_PATH, livestream(playback_url))
    platforms.answer("web.kick.com", VIDEOS_PATH, videos())


def serve_clip(platforms: Platforms, clip_url: str) -> None:
    """A clip."""
    platforms.answer("kick.com", CLIP_PATH, clip(clip_url))
    platforms.answer("kick.com", f"{CLIP_PATH}/play", clip(clip_url))


def block(platforms: Platforms, host: str = "*kick.com", reply: Reply | None = None) -> None:
    """Refuse whatever is asked of a host."""
    platforms.answer(host, r"/.*", reply or challenge())
