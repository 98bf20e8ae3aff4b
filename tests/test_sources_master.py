"""Master playlists: every quality is listed, with the sound that belongs to it."""

from __future__ import annotations

import math

import pytest

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Rendition
from kick_clip_generator.sources.hls.master import MAX_VARIANTS, parse_master

BASE = "https://cdn.example/vod/7/master.m3u8?sig=abc"


def _master(*lines: str) -> tuple[Rendition, ...]:
    return parse_master("\n".join(["#EXTM3U", *lines]).encode(), BASE)


def _variant(name: str, **attributes: object) -> str:
    facts = ",".join(f"{key.replace('_', '-').upper()}={value}" for key, value in attributes.items())
    return f"#EXT-X-STREAM-INF:{facts}\n{name}"


def _audio(group: str, uri: str = "", *, default: bool = True) -> str:
    address = f',URI="{uri}"' if uri else ""
    return f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="x",DEFAULT={"YES" if default else "NO"}{address}'


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def test_all_qualities_are_listed_cheapest_first() -> None:
    renditions = _master(
        _variant("best", bandwidth=6_000_000, resolution="1920x1080", frame_rate=60),
        _variant("tiny", bandwidth=100_000, resolution="160x90"),
        _variant("sound", bandwidth=64_000, codecs='"mp4a.40.2"'),
        _variant("mid30", bandwidth=1_500_000, resolution="1280x720", frame_rate=30),
        _variant("small", bandwidth=230_000, resolution="284x160"),
        _variant("mid60", bandwidth=2_500_000, resolution="1280x720", frame_rate=60),
    )
    assert [_name(r.url) for r in renditions] == ["sound", "tiny", "small", "mid30", "mid60", "best"]
    assert [r.name for r in renditions] == ["audio only", "90p", "160p", "720p", "720p60", "1080p60"]
    small = renditions[2]
    assert (small.width_px, small.height_px, small.bitrate_bps) == (284, 160, 230_000)
    assert math.isnan(small.fps) and small.has_video and small.has_audio is None and small.audio_url == ""


def test_without_sizes_the_bandwidth_decides() -> None:
    unknown = [_variant("b", bandwidth=2000), _variant("a", bandwidth=1000)]
    sound = _variant("s", bandwidth=10, codecs='"mp4a.40.2"')
    assert [(_name(r.url), r.has_video) for r in _master(*unknown, sound)] == [("s", False), ("a", None), ("b", None)]


def test_sound_that_is_kept_apart_is_listed_and_goes_with_its_pictures() -> None:
    renditions = _master(
        *(_audio("apart", "deutsch.m3u8", default=False), _audio("apart", "original.m3u8"), _audio("muxed")),
        _variant("apart", bandwidth=1, resolution="640x360", audio='"apart"'),
        _variant("muxed", bandwidth=9, resolution="1280x720", audio='"muxed"'),
    )
    assert {_name(r.url): (r.has_video, r.has_audio, _name(r.audio_url)) for r in renditions} == {
        "deutsch.m3u8": (False, True, ""),
        "original.m3u8": (False, True, ""),
        "apart": (True, False, "original.m3u8"),
        "muxed": (True, None, ""),
    }


def test_a_variant_that_is_a_groups_sound_is_audio_only_and_listed_once() -> None:
    renditions = _master(
        *(_audio("low", "a64.m3u8"), _audio("high", "a128.m3u8")),
        _variant("a64.m3u8", bandwidth=64_000, audio='"low"'),
        _variant("v.m3u8", bandwidth=900_000, resolution="640x360", audio='"low"'),
        _variant("w.m3u8", bandwidth=3_900_000, resolution="1280x720", audio='"high"'),
        _variant("w.m3u8", bandwidth=3_900_000, resolution="1280x720", audio='"high"'),
    )
    assert [(_name(r.url), r.has_video, _name(r.audio_url)) for r in renditions] == [
        ("a128.m3u8", False, ""),
        ("a64.m3u8", False, ""),
        ("v.m3u8", True, "a64.m3u8"),
        ("w.m3u8", True, "a128.m3u8"),
    ]
    assert renditions[1].bitrate_bps == 64_000


def test_a_media_playlist_has_no_renditions() -> None:
    assert _master("#EXTINF:2,", "a.ts") == ()


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        (["#EXT-X-STREAM-INF:BANDWIDTH=1"], "not_media"),
        (["#EXT-X-STREAM-INF:BANDWIDTH=x", "a"], "not_media"),
        (["#EXT-X-STREAM-INF:BANDWIDTH=1", "file:///etc/passwd"], "refused"),
        ([_audio("g", "file:///etc/passwd"), "#EXT-X-STREAM-INF:BANDWIDTH=1", "a"], "refused"),
        ([f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{n}" for n in range(MAX_VARIANTS + 1)], "too_large"),
    ],
)
def test_a_bad_master_is_refused_in_one_sentence(lines: list[str], outcome: str) -> None:
    with pytest.raises(SourceError) as caught:
        _master(*lines)
    assert caught.value.outcome == outcome
    assert "\n" not in str(caught.value) and "sig" not in str(caught.value)
