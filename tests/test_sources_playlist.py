"""Media playlists: what is read from them, and what is refused."""

from __future__ import annotations

import math
from urllib.parse import urljoin

import pytest

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Span
from kick_clip_generator.sources.hls.playlist import MAX_SEGMENTS, Key, MediaPlaylist, Resource, parse_media

BASE = "https://cdn.example/vod/7/index.m3u8?sig=abc"


def _media(*lines: str, end: str = "#EXT-X-ENDLIST") -> MediaPlaylist:
    text = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:6", *lines, end])
    return parse_media(text.encode(), BASE)


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
    assert _media("#EXT-X-PLAYLIST-TYPE:VOD", "#EXTINF:6,", "a.ts", end="").ended


@pytest.mark.parametrize(
    "uri",
    [
        *("a/./b.ts", "../x.ts", "./x.ts", "?n=1", "//other.example/x", "a b.ts", "é.ts", "seg%20.ts?a=b&c"),
        *("https://CDN.example/x.ts", "http://cdn.example:8080/x/../y.ts", "x.ts#part", ".hidden", "@a.ts", "a/../b"),
    ],
)
def test_addresses_are_joined_by_the_rules(uri: str) -> None:
    twice = _media("#EXTINF:1,", uri, "#EXTINF:1,", uri)
    wanted = urljoin(BASE, uri.replace(" ", "%20"))
    assert [segment.resource.url for segment in twice.segments] == [wanted, wanted]


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
        (['#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"', "#EXTINF:2,", "a.ts"], "unsupported"),
        (['#EXT-X-KEY:METHOD=AES-128,URI="skd://k",KEYFORMAT="com.apple"', "#EXTINF:2,", "a.ts"], "unsupported"),
        (['#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"', "#EXTINF:2,", "a.ts"], "refused"),
        (['#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0xzz', "#EXTINF:2,", "a.ts"], "not_media"),
        (["#EXT-X-KEY:METHOD=AES-128", "#EXTINF:2,", "a.ts"], "not_media"),
        (["#EXT-X-MEDIA-SEQUENCE:-3", "#EXTINF:2,", "a.ts"], "not_media"),
        (["#EXT-X-MEDIA-SEQUENCE:" + "9" * 30, "#EXTINF:2,", "a.ts"], "not_media"),
        (["#EXTINF:2,", "file:///etc/passwd"], "refused"),
        (["#EXTINF:2,", "concat:a.ts|b.ts"], "refused"),
        (["#EXTINF:2,", "data:video/mp2t;base64,AAAA"], "refused"),
        (['#EXT-X-MAP:URI="file:///etc/passwd"', "#EXTINF:2,", "a.ts"], "refused"),
        (["#EXT-X-STREAM-INF:BANDWIDTH=1", "index.m3u8"], "not_media"),
        (["#EXTINF:2,\na.ts"] * (MAX_SEGMENTS + 1), "too_large"),
        (["x"] * 1_000_000, "too_large"),
        (["#EXTINF:2,\ra.ts\r" * 300_000], "too_large"),
    ],
)
def test_a_bad_playlist_is_refused_in_one_sentence(lines: list[str], outcome: str) -> None:
    with pytest.raises(SourceError) as caught:
        _media(*lines)
    assert caught.value.outcome == outcome
    assert "\n" not in str(caught.value) and "sig" not in str(caught.value)


def test_an_unencrypted_key_tag_is_fine() -> None:
    assert _media("#EXT-X-KEY:METHOD=NONE", "#EXTINF:2,", "a.ts").segments


def test_a_playlist_of_ten_hours_is_bounded_work() -> None:
    playlist = _media(*(line for n in range(9000) for line in ("#EXTINF:4.000,", f"{n}.ts?sig=a&n={n}")))
    assert len(playlist.segments) == 9000 and playlist.duration_s == 36000
    # Line ends that only some software knows do not get past the cap as thousands of lines.
    assert len(_media("#EXTINF:2,\u2028#EXTINF:3,", "a.ts").segments) == 1


def test_keys_go_with_the_segments_behind_them() -> None:
    folder = "https://cdn.example/vod/7/"
    playlist = _media(
        *("#EXT-X-MEDIA-SEQUENCE:70", "#EXTINF:1,", "0"),
        *('#EXT-X-KEY:METHOD=AES-128,URI="k1?a=1,2",IV=0xFF', "#EXTINF:1,", "1", "#EXTINF:1,", "2"),
        *('#EXT-X-KEY:METHOD=AES-128,URI="k2"', "#EXTINF:1,", "3"),
        *('#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:x",KEYFORMAT="urn:uuid:edef8ba9"', "#EXTINF:1,", "4"),
        *("#EXT-X-KEY:METHOD=NONE", "#EXTINF:1,", "5"),
    )
    first, second = Key(f"{folder}k1?a=1,2", bytes(15) + b"\xff"), Key(f"{folder}k2")
    assert [s.key for s in playlist.segments] == [None, first, first, second, second, None]
    assert [s.sequence for s in playlist.segments] == [70, 71, 72, 73, 74, 75]
    assert "k1" not in repr(playlist) and "cdn" not in repr(playlist)


def test_an_init_section_has_the_key_that_was_in_force_before_it() -> None:
    playlist = _media(
        *('#EXT-X-MAP:URI="open.mp4"', '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1', "#EXTINF:1,", "0"),
        *('#EXT-X-MAP:URI="closed.mp4"', "#EXTINF:1,", "1"),
    )
    assert [(bool(s.init_key), bool(s.key)) for s in playlist.segments] == [(False, True), (True, True)]


def test_clocks_go_on_over_gaps_and_start_anew_at_discontinuities() -> None:
    playlist = _media(
        *("#EXTINF:1,", "0", "#EXT-X-GAP", "#EXTINF:1,", "1", "#EXTINF:1,", "2"),
        *("#EXT-X-DISCONTINUITY", "#EXTINF:1,", "3", '#EXT-X-MAP:URI="i.mp4"', "#EXTINF:1,", "4"),
    )
    assert [s.stretch for s in playlist.segments] == [0, 1, 2, 3, 4]
    assert [s.clock for s in playlist.segments] == [0, 0, 0, 1, 2]


def test_a_live_playlist_tells_where_it_stands() -> None:
    playlist = _media(
        *("#EXT-X-MEDIA-SEQUENCE:1234", "#EXT-X-DISCONTINUITY-SEQUENCE:5"),
        *("#EXTINF:2,live", "a", "#EXT-X-PROGRAM-DATE-TIME:2026-07-01T00:00:02Z", "#EXTINF:2,live", "b"),
        *("#EXTINF:2,live", "c", "#EXT-X-DISCONTINUITY", "#EXTINF:2,live", "d"),
        end="",
    )
    assert (playlist.ended, playlist.target_s) == (False, 6)
    assert (playlist.first_sequence, playlist.discontinuity_sequence) == (1234, 5)
    start_s = 1_782_864_000.0
    assert [s.program_time_s for s in playlist.segments[:3]] == [start_s, start_s + 2, start_s + 4]
    assert math.isnan(playlist.segments[3].program_time_s)
    # One that has just begun.
    assert _media(end="").segments == ()
    assert math.isnan(parse_media(b"#EXTM3U\n#EXT-X-TARGETDURATION:x\n", BASE).target_s)


DATED = "#EXT-X-PROGRAM-DATE-TIME:2026-07-01T00:00:00Z"
SIX = [line for n in range(6) for line in ("#EXTINF:2,live", str(n))]


def _ads(*lines: str) -> list[int]:
    return [segment.index for segment in _media(*lines, end="").segments if segment.ad]


@pytest.mark.parametrize(
    ("date_ranges", "ads"),
    [
        (['ID="stitched-ad-7",START-DATE="2026-07-01T00:00:02Z",DURATION=4.000'], [1, 2]),
        (['ID="x",CLASS="twitch-stitched-ad",START-DATE="2026-07-01T00:00:03.1Z",DURATION=3'], [2]),
        (['ID="x",CLASS="twitch-stream-source",START-DATE="2026-07-01T00:00:00Z",DURATION=99'], []),
        (['ID="x",START-DATE="2026-07-01T00:00:02Z",PLANNED-DURATION=6,SCTE35-OUT=0xFC'], [1, 2, 3]),
        (
            ['ID="x",START-DATE="2026-07-01T00:00:02Z",PLANNED-DURATION=6,SCTE35-OUT=0xFC', 'ID="x",DURATION=2'],
            [1],
        ),
        (['ID="x",START-DATE="2026-07-01T00:00:04Z",SCTE35-OUT=0xFC'], [2, 3, 4, 5]),
        (['ID="stitched-ad-7",START-DATE="yesterday",DURATION=4'], []),
        (['ID="stitched-ad-7",START-DATE="2026-07-01T00:00:02Z",DURATION=-4,END-DATE="2026-07-01T00:00:04Z"'], [1]),
        (
            [
                f'ID="stitched-ad-{n}",START-DATE="2026-07-01T00:00:{start:02}Z",DURATION=2'
                for n, start in ((1, 8), (2, 0))
            ],
            [0, 4],
        ),
    ],
)
def test_advertising_is_known_by_its_date(date_ranges: list[str], ads: list[int]) -> None:
    assert _ads(*(f"#EXT-X-DATERANGE:{attributes}" for attributes in date_ranges), DATED, *SIX) == ads


def test_advertising_is_known_by_cues_and_titles() -> None:
    assert _ads(*SIX[:4], "#EXT-X-CUE-OUT:DURATION=4", *SIX[4:]) == [2, 3]
    assert _ads(*SIX[:4], "#EXT-X-CUE-OUT:4.0", *SIX[4:]) == [2, 3]
    assert _ads(*SIX[:4], "#EXT-X-CUE-OUT", *SIX[4:8], "#EXT-X-CUE-IN", *SIX[8:]) == [2, 3]
    # A break that nobody ends does not last for ever.
    assert len(_ads("#EXT-X-CUE-OUT", *(line for n in range(600) for line in ("#EXTINF:2,", str(n))))) == 300
    assert _ads("#EXTINF:2,Amazon|7", "0", "#EXTINF:2,live", "1") == [0]
    assert not _ads(*SIX)
