"""YouTube as yt-dlp sees it: a watch page, the player API, and the addresses in its answer. Stand-ins, made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.origin.platforms import Asked, Platforms, Reply

CHANNEL = "UC" + "a" * 22


class YouTube:
    """What exists on the stand-in, to be changed at any time.

    Args:
        platforms: where it answers.
        files: itag of a format ("18", "136", "140") -> address of its media file. Formats that need JavaScript to be
            read (`n`, signatures) are not stood in for.
        playlists: name of a quality -> address of its media playlist, for streams that are live.

    Attributes:
        videos: id -> title.
        live: ids that run now.
        channels: handle -> id of the video that runs there, empty when none does.
        playability: id -> status and reason instead of media, as YouTube puts it.
    """

    def __init__(self, platforms: Platforms, files: Mapping[str, str], playlists: Mapping[str, str]) -> None:
        self.files = dict(files)
        self.playlists = dict(playlists)
        self.videos: dict[str, str] = {}
        self.live: set[str] = set()
        self.channels: dict[str, str] = {}
        self.playability: dict[str, tuple[str, str]] = {}
        platforms.answer("www.youtube.com", "/watch", self._watch)
        platforms.answer("www.youtube.com", r"/youtubei/v1/player", self._player)
        platforms.answer("www.youtube.com", r"/@[\w.-]+/live", self._channel)
        platforms.answer("manifest.googlevideo.com", r"/api/manifest/hls_variant/.*", lambda _: self._master())

    def _watch(self, asked: Asked) -> Reply:
        # shape: yt-dlp 2026.10.26 extractor/youtube/_base.py extract_ytcfg, _video.py _initial_extract
        config = {
            "INNERTUBE_API_KEY": "stand-in",
            "INNERTUBE_CONTEXT": {"client": {"clientName": "WEB", "clientVersion": "2.20261101.00.00", "hl": "en"}},
            "INNERTUBE_CLIENT_VERSION": "2.20261101.00.00",
            "VISITOR_DATA": "stand-in",
        }
        return _page(config, {"contents": {"twoColumnWatchNextResults": {"results": {"results": {"contents": []}}}}})

    def _channel(self, asked: Asked) -> Reply:
        # shape: yt-dlp 2026.10.26 extractor/youtube/_tab.py YoutubeTabIE._real_extract (a live tab is a watch page)
        video = self.channels.get(asked.path.split("/")[1])
        if video is None:
            return Reply("<html>not found</html>", 404)
        if not video:
            return _page({}, _tabs())
        return _page({}, {"currentVideoEndpoint": {"watchEndpoint": {"videoId": video}}, "contents": {}})

    def _player(self, asked: Asked) -> dict[str, Any]:
        # shape: yt-dlp 2026.10.26 extractor/youtube/_video.py _extract_player_responses, _real_extract
        video = asked.json["videoId"]
        status, reason = self.playability.get(video, ("OK", ""))
        if video not in self.videos:
            status, reason = "ERROR", "Video unavailable"
        answer: dict[str, Any] = {
            "playabilityStatus": {"status": status, "reason": reason},
            "videoDetails": {
                "videoId": video,
                "title": self.videos.get(video, ""),
                "author": "Streamer",
                "channelId": CHANNEL,
                "lengthSeconds": "0" if video in self.live else "4",
                "isLiveContent": video in self.live,
                "isLive": video in self.live,
            },
            "microformat": {"playerMicroformatRenderer": {"lengthSeconds": "4", "isUnlisted": False}},
        }
        if status != "OK":
            return answer
        if video in self.live:
            master = "https://manifest.googlevideo.com/api/manifest/hls_variant/id/x/file/index.m3u8"
            return answer | {"streamingData": {"hlsManifestUrl": master}}
        return answer | {
            "streamingData": {
                "expiresInSeconds": "21540",
                "formats": [_format("18", url) for itag, url in self.files.items() if itag == "18"],
                "adaptiveFormats": [_format(itag, url) for itag, url in self.files.items() if itag != "18"],
            }
        }

    def _master(self) -> Reply:
        lines = ["#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS"]
        for name, url in self.playlists.items():
            height, _, fps = name.partition("p")
            lines += [
                f'#EXT-X-STREAM-INF:BANDWIDTH={int(height) * 4000},CODECS="mp4a.40.2,avc1.4D401F",'
                f"RESOLUTION={int(height) * 16 // 9}x{height},FRAME-RATE={fps or 30},CLOSED-CAPTIONS=NONE",
                url,
            ]
        return Reply("\n".join(lines) + "\n")


# itag: what yt-dlp 2026.10.26 tells of it (extractor/youtube/_video.py _formats), as the player API words it.
_KINDS: Mapping[str, dict[str, Any]] = {
    "18": {"mimeType": 'video/mp4; codecs="avc1.42001E, mp4a.40.2"', "height": 360, "width": 640, "fps": 30},
    "133": {"mimeType": 'video/mp4; codecs="avc1.4d4015"', "height": 240, "width": 426, "fps": 30},
    "242": {"mimeType": 'video/webm; codecs="vp9"', "height": 240, "width": 426, "fps": 30},
    "136": {"mimeType": 'video/mp4; codecs="avc1.4d401f"', "height": 720, "width": 1280, "fps": 30},
    "140": {"mimeType": 'audio/mp4; codecs="mp4a.40.2"', "audioSampleRate": "44100", "audioChannels": 2},
}


def _format(itag: str, url: str) -> dict[str, Any]:
    kind = _KINDS[itag]
    bitrate = {"140": 130_000, "242": 150_000, "133": 240_000, "18": 500_000}.get(itag, 1_500_000)
    return {
        **kind,
        "itag": int(itag),
        "url": url,
        "bitrate": bitrate,
        "averageBitrate": bitrate,
        "contentLength": "1000",
        "approxDurationMs": "4000",
        "quality": "medium",
    }


def _tabs() -> dict[str, Any]:
    tab = {"selected": True, "title": "Home", "content": {}, "endpoint": {"commandMetadata": {}}}
    return {
        "contents": {"twoColumnBrowseResultsRenderer": {"tabs": [{"tabRenderer": tab}]}},
        "metadata": {"channelMetadataRenderer": {"externalId": CHANNEL, "title": "Streamer"}},
    }


def _page(config: dict[str, Any], data: dict[str, Any]) -> Reply:
    return Reply(
        f"<html><script>ytcfg.set({json.dumps(config)});</script>"
        f"<script>var ytInitialData = {json.dumps(data)};</script></html>"
    )
