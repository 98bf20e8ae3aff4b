"""Twitch as the tools see it: GraphQL, and the playlists of usher.ttvnw.net. Stand-ins, made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from tests.origin.platforms import Asked, Platforms, Reply

TOKEN = {"value": '{"chansub":{"restricted_bitrates":[]}}', "signature": "5ec2e7519na7u2e"}


class Twitch:
    """What exists on the stand-in, to be changed at any time.

    Args:
        platforms: where it answers.
        playlists: name of a quality ("360p30", "1080p60", "audio_only") -> address of its media playlist, or of its
            file in a clip. streamlink takes https addresses only.

    Attributes:
        videos, channels, clips: id -> title; a channel with None is not live, and one that is missing does not exist.
        recordings: channel -> id of the video that is being made of what runs now.
        members_only: ids of videos that only subscribers may watch.
        token: what goes for a login: `auth-token`, a cookie.
    """

    def __init__(self, platforms: Platforms, playlists: Mapping[str, str]) -> None:
        self.playlists = dict(playlists)
        self.videos: dict[str, str] = {}
        self.channels: dict[str, str | None] = {}
        self.clips: dict[str, str] = {}
        self.recordings: dict[str, str] = {}
        self.members_only: set[str] = set()
        self.token = "me"
        platforms.answer("gql.twitch.tv", "/gql", self._gql)
        # shape: yt-dlp 2026.10.26 extractor/twitch.py _extract_twitch_m3u8_formats; streamlink 8.6.3 UsherService
        platforms.answer("usher.ttvnw.net", r"/vod/(v2/)?\d+\.m3u8", self._usher_video)
        platforms.answer("usher.ttvnw.net", r"/api/(v2/)?channel/hls/\w+\.m3u8", lambda _: self._master())

    def _gql(self, asked: Asked) -> Any:
        asked_for = asked.json
        if isinstance(asked_for, list):
            return [self._operation(one) for one in asked_for]
        return self._operation(asked_for)

    def _operation(self, asked_for: dict[str, Any]) -> dict[str, Any]:
        name = asked_for.get("operationName", "")
        variables = asked_for.get("variables", {})
        if "query" in asked_for:
            # shape: yt-dlp 2026.10.26 extractor/twitch.py _download_access_token
            kind = "stream" if "streamPlaybackAccessToken" in asked_for["query"] else "video"
            return {"data": {f"{kind}PlaybackAccessToken": TOKEN}}
        if name == "PlaybackAccessToken":
            # shape: streamlink 8.6.3 plugins/twitch.py TwitchAPI.access_token
            if variables["isLive"]:
                there = self.channels.get(variables["login"]) is not None
                return {"data": {"streamPlaybackAccessToken": TOKEN if there else None}}
            return {"data": {"videoPlaybackAccessToken": TOKEN if variables["vodID"] in self.videos else None}}
        made = {
            "VideoMetadata": self._video,
            "VideoPlayer_ChapterSelectButtonVideo": lambda _: {"video": None},
            "VideoPlayer_VODSeekbarPreviewVideo": lambda _: {"video": None},
            "StreamMetadata": self._stream,
            "ComscoreStreamingQuery": lambda _: {"user": None},
            "VideoPreviewOverlay": lambda _: {"user": {"stream": None}},
            "ChannelShell": lambda v: {"userOrError": {"displayName": v.get("login", "")}},
            "FilterableVideoTower_Videos": self._videos,
            "ShareClipRenderStatus": self._clip,
            "VideoAccessToken_Clip": self._clip,
        }[name](variables)
        return {"data": made}

    def _video(self, variables: dict[str, Any]) -> dict[str, Any]:
        # shape: yt-dlp 2026.10.26 extractor/twitch.py TwitchVodIE._extract_info_gql
        number = variables["videoID"]
        if number not in self.videos:
            return {"video": None}
        return {
            "video": {
                "id": number,
                "title": self.videos[number],
                "lengthSeconds": 4,
                "owner": {"displayName": "Streamer", "login": "streamer"},
                "game": {"displayName": "Chess"},
                "publishedAt": "2026-11-20T18:00:00Z",
                "previewThumbnailURL": "https://static-cdn.jtvnw.net/thumb-320x180.jpg",
                "broadcastType": "ARCHIVE",
                "moments": {"edges": []},
            }
        }

    def _stream(self, variables: dict[str, Any]) -> dict[str, Any]:
        # shape: yt-dlp 2026.10.26 extractor/twitch.py TwitchStreamIE._real_extract
        channel = variables["channelLogin"]
        if channel not in self.channels:
            return {"user": None}
        title = self.channels[channel]
        stream = None
        if title is not None:
            stream = {"id": "4242", "type": "live", "createdAt": "2026-11-21T10:00:00Z", "game": {"name": "Chess"}}
        return {"user": {"lastBroadcast": {"title": title or ""}, "stream": stream}}

    def _videos(self, variables: dict[str, Any]) -> dict[str, Any]:
        # shape: yt-dlp 2026.10.26 extractor/twitch.py TwitchPlaylistBaseIE._entries, TwitchStreamIE._extract_entry
        number = self.recordings.get(variables["channelOwnerLogin"])
        node = {"__typename": "Video", "id": number, "title": "", "publishedAt": "2026-11-21T10:00:05Z"}
        edges = [{"__typename": "VideoEdge", "cursor": None, "node": node}] if number else []
        return {"user": {"id": "1", "videos": {"edges": edges}}}

    def _clip(self, variables: dict[str, Any]) -> dict[str, Any]:
        # shape: yt-dlp 2026.10.26 extractor/twitch.py TwitchClipsIE; streamlink 8.6.3 TwitchAPI.clips
        slug = variables["slug"]
        if slug not in self.clips:
            return {"clip": None}
        qualities = [
            {"quality": name.partition("p")[0], "frameRate": 30, "sourceURL": url}
            for name, url in self.playlists.items()
        ]
        return {
            "clip": {
                "id": "777",
                "title": self.clips[slug],
                "durationSeconds": 4,
                "createdAt": "2026-11-20T18:00:00Z",
                "broadcaster": {"id": "1", "displayName": "Streamer", "isPartner": True},
                "game": {"displayName": "Chess", "name": "Chess"},
                "playbackAccessToken": TOKEN,
                "assets": [{"aspectRatio": 1.78, "videoQualities": qualities}],
                "videoQualities": qualities,
            }
        }

    def _usher_video(self, asked: Asked) -> Reply:
        number = asked.path.rpartition("/")[2].removesuffix(".m3u8")
        logged_in = f"auth-token={self.token}" in asked.headers.get("cookie", "")
        if number in self.members_only and not logged_in:
            # shape: what _extract_twitch_m3u8_formats of yt-dlp 2026.10.26 looks for in a 403
            body = [{"type": "error", "error": "restricted", "error_code": "vod_manifest_restricted"}]
            return Reply(json.dumps(body).encode(), 403, {"Content-Type": "application/json"})
        if not (parse_qs(asked.query).get("sig") or parse_qs(asked.query).get("nauthsig")):
            return Reply([{"error": "token"}], 403)
        return self._master()

    def _master(self) -> Reply:
        # shape: master playlists of usher as described in streamlink 8.6.3 tests/plugins/test_twitch.py
        lines = ["#EXTM3U", '#EXT-X-TWITCH-INFO:NODE="video-edge.stand.in",BROADCAST-ID="4242"']
        for name, url in self.playlists.items():
            lines.append(f'#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="{name}",NAME="{name}",AUTOSELECT=YES,DEFAULT=YES')
            if name == "audio_only":
                attributes = 'BANDWIDTH=160000,CODECS="mp4a.40.2",STABLE-VARIANT-ID="audio_only"'
            else:
                height, _, fps = name.partition("p")
                attributes = (
                    f"BANDWIDTH={int(height) * 4000},RESOLUTION={int(height) * 16 // 9}x{height},"
                    f'CODECS="avc1.4D401F,mp4a.40.2",FRAME-RATE={fps or 30}.000'
                )
            lines += [f'#EXT-X-STREAM-INF:{attributes},VIDEO="{name}"', url]
        return Reply("\n".join(lines) + "\n")
