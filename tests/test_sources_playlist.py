"""Playlists: what is read from them, and what is refused."""

from __future__ import annotations

import math

import pytest

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Span
from kick_clip_generator.sources.playlist import MAX_SEGMENTS, MediaPlaylist, Resource, parse_master, parse_media

BASE = "https://cdn.example/vod/7/index.m3u8?sig=abc"


def _media(*lines: str, end: str = "#EXT-X-ENDLIST") -> MediaPlaylist:
    text = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:6", *lines, end])
    return parse_media(text.encode(), BASE)


def _master(*lines: str) -> bytes:
    return "\n".join(["#EXTM3U", *lines]).encode()


def _variant(name: str, **attributes: object) -> str:
    facts = ",".join(f"{key.replace('_', '-').upper()}={value}" for key, value in attributes.items())
    return f"#EXT-X-STREAM-INF:{facts}\n{name}"


def test_segments_lie_end_to_end_at_absolute_addresses() -> None:
    playlist = _media("#EXTINF:6.006,", "a.ts", "#EXTINF:4", "/b", "#EXTINF:2.5,title", "http://other.example/c?x=1")
    assert [s.resource.url for s in playlist.segments] == [
        "https://cdn.example/vod/7/a.ts",
        "https://cdn.example/b",
        "http://other.example/c?x=1",
    ]
    assert [s.span for s in playlist.segments] == [Span(0, 6.006), Span(6.006, 10.006), Span(10.006, 12.506)]
    assert playlist.ended and playlist.breaks_s == ()
    assert not _media("#EXTINF:6,", "a.ts", end="").ended


def test_instants_find_their_segment() -> None:
    playlist = _media(*(line for n in range(9000) for line in ("#EXTINF:2.002,", f"{n}.ts")))
    assert playlist.index_at(0) == playlist.index_at(-5) == 0
    assert playlist.index_at(2.002 * 4500) == 4500
    assert playlist.index_at(1e9) == 8999
    assert playlist.index_before(2.002 * 4500) == 4500
    assert playlist.index_before(2.002 * 4500 + 0.01) == 4501
    assert playlist.duration_s == pytest.approx(18018)


def test_byte_ranges_follow_each_other_in_one_file() -> None:
    playlist = _media(
        '#EXT-X-MAP:URI="all.mp4",BYTERANGE="700@0"',
        *("#EXTINF:2,", "#EXT-X-BYTERANGE:100@700", "all.mp4"),
        *("#EXTINF:2,", "#EXT-X-BYTERANGE:50", "all.mp4"),
    )
    file = "https://cdn.example/vod/7/all.mp4"
    assert [s.resource for s in playlist.segments] == [Resource(file, (700, 800)), Resource(file, (800, 850))]
    assert {s.init for s in playlist.segments} == {Resource(file, (0, 700))}


def test_discontinuities_gaps_and_new_init_sections_break_the_run() -> None:
    playlist = _media(
        *('#EXT-X-MAP:URI="i.mp4"', "#EXTINF:1,", "0", "#EXTINF:1,", "1"),
        *("#EXT-X-DISCONTINUITY", "#EXTINF:1,", "2"),
        *("#EXT-X-GAP", "#EXTINF:1,", "3", "#EXTINF:1,", "4"),
        *('#EXT-X-MAP:URI="i.mp4"', "#EXTINF:1,", "5", '#EXT-X-MAP:URI="j.mp4"', "#EXTINF:1,", "6"),
    )
    assert playlist.breaks_s == (2.0, 3.0, 4.0, 6.0)
    assert [s.missing for s in playlist.segments].index(True) == 3


def test_tags_that_do_not_matter_may_be_malformed() -> None:
    playlist = _media(
        "#EXT-X-PROGRAM-DATE-TIME:yesterday", "#EXT-X-DATERANGE:x", "#EXTINF:2,", "a.ts", "#EXT-X-CUE-OUT:1:2"
    )
    assert len(playlist.segments) == 1
    assert len(_media("#EXTINF:2,", "a.ts", "#EXTINF:2,").segments) == 1


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ([], "not_media"),
        (["#EXTINF:abc,", "a.ts"], "not_media"),
        (["#EXTINF:nan,", "a.ts"], "not_media"),
        (["#EXTINF:-1,", "a.ts"], "not_media"),
        (["#EXTINF:1e9,", "a.ts"], "not_media"),
        (["#EXTINF:0,", "a.ts"], "not_media"),
        (["#EXTINF:2,", "#EXT-X-BYTERANGE:x@y", "a.ts"], "not_media"),
        (["#EXT-X-BYTERANGE:5@0", "a.ts"], "not_media"),
        (["#EXT-X-I-FRAMES-ONLY", "#EXTINF:2,", "a.ts"], "not_media"),
        (['#EXT-X-KEY:METHOD=AES-128,URI="k"', "#EXTINF:2,", "a.ts"], "unsupported"),
        (["#EXTINF:2,", "file:///etc/passwd"], "refused"),
        (["#EXTINF:2,", "concat:a.ts|b.ts"], "refused"),
        (["#EXTINF:2,", "data:video/mp2t;base64,AAAA"], "refused"),
        (['#EXT-X-MAP:URI="file:///etc/passwd"', "#EXTINF:2,", "a.ts"], "refused"),
        (["#EXT-X-STREAM-INF:BANDWIDTH=1", "index.m3u8"], "not_media"),
        (["#EXTINF:2,\na.ts"] * (MAX_SEGMENTS + 1), "too_large"),
        (["x"] * 1_000_000, "too_large"),
    ],
)
def test_a_bad_playlist_is_refused_in_one_sentence(lines: list[str], outcome: str) -> None:
    with pytest.raises(SourceError) as caught:
        _media(*lines)
    assert caught.value.outcome == outcome
    assert "\n" not in str(caught.value) and "sig" not in str(caught.value)


def test_an_unencrypted_key_tag_is_fine() -> None:
    assert _media("#EXT-X-KEY:METHOD=NONE", "#EXTINF:2,", "a.ts").segments


def test_renditions_run_from_the_cheapest_adequate_to_the_best() -> None:
    renditions = parse_master(
        _master(
            _variant("best", bandwidth=6_000_000, resolution="1920x1080", frame_rate=60),
            _variant("tiny", bandwidth=100_000, resolution="160x90"),
            _variant("sound", bandwidth=64_000, codecs='"mp4a.40.2"'),
            _variant("mid30", bandwidth=1_500_000, resolution="1280x720", frame_rate=30),
            _variant("small", bandwidth=230_000, resolution="284x160"),
            _variant("mid60", bandwidth=2_500_000, resolution="1280x720", frame_rate=60),
        ),
        BASE,
    )
    assert [r.url.rpartition("/")[2] for r in renditions] == ["small", "mid30", "mid60", "best"]
    assert (renditions[0].width_px, renditions[0].height_px, renditions[0].bitrate_bps) == (284, 160, 230_000)
    assert math.isnan(renditions[0].fps) and renditions[0].has_video


def test_without_sizes_the_bandwidth_decides_and_sound_alone_is_the_last_resort() -> None:
    unknown = [_variant("b", bandwidth=2000), _variant("a", bandwidth=1000)]
    sound = _variant("s", bandwidth=10, codecs='"mp4a.40.2"')
    assert [r.url[-1] for r in parse_master(_master(*unknown, sound), BASE)] == ["a", "b"]
    assert [r.has_video for r in parse_master(_master(sound), BASE)] == [False]


def test_a_rendition_with_muxed_sound_is_preferred_and_separate_sound_is_refused() -> None:
    groups = (
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="apart",NAME="x",URI="a.m3u8"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="muxed",NAME="x"',
    )
    apart = _variant("apart", bandwidth=1, resolution="640x360", audio='"apart"')
    muxed = _variant("muxed", bandwidth=9, resolution="1280x720", audio='"muxed"')
    assert [r.url[-5:] for r in parse_master(_master(*groups, apart, muxed), BASE)] == ["muxed"]
    with pytest.raises(SourceError, match="sound and picture") as caught:
        parse_master(_master(*groups, apart), BASE)
    assert caught.value.outcome == "unsupported"


def test_a_media_playlist_has_no_renditions() -> None:
    assert parse_master(_master("#EXTINF:2,", "a.ts"), BASE) == ()
