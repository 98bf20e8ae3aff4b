"""Laws of looking at strangers' files: media are described, the rest is refused, and no other file is opened."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.probe import probe

SOURCES = ["-f", "lavfi", "-i", "testsrc2=s=64x36:r=30:d=2", "-f", "lavfi", "-i", "sine=f=440:r=48000:d=2"]
H264_AAC = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]


def ffmpeg(*args: str | Path) -> None:
    subprocess.run([ffmpeg_path(None), "-v", "error", "-nostdin", "-y", *map(str, args)], check=True)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("probe") / "a.mp4"
    ffmpeg(*SOURCES, *H264_AAC, path)
    return path


def test_a_video_is_described(video: Path) -> None:
    info = probe(video)
    assert "mp4" in info.container
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")
    assert (info.width_px, info.height_px, info.fps) == (64, 36, 30.0)
    assert info.has_audio and info.has_video
    assert info.duration_s == pytest.approx(2.0, abs=0.1)
    assert info.start_s == 0.0


@pytest.mark.parametrize("suffix", ["mkv", "webm", "ts", "mov", "flv", "avi", "nut"])
def test_containers(tmp_path: Path, suffix: str) -> None:
    codecs = ["-c:v", "libvpx", "-c:a", "libopus"] if suffix == "webm" else H264_AAC
    ffmpeg(*SOURCES, *codecs, tmp_path / f"a.{suffix}")
    info = probe(tmp_path / f"a.{suffix}")
    assert info.has_audio and info.has_video
    assert info.duration_s == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "m4a", "ogg", "aac"])
def test_sound_alone(tmp_path: Path, suffix: str) -> None:
    ffmpeg(*SOURCES[4:], tmp_path / f"a.{suffix}")
    info = probe(tmp_path / f"a.{suffix}")
    assert info.has_audio and not info.has_video
    assert (info.width_px, info.video_codec) == (0, "") and math.isnan(info.fps)


def test_a_cover_picture_is_no_video(tmp_path: Path, video: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-frames:v", "1", tmp_path / "cover.png")
    ffmpeg(*SOURCES[4:], "-i", tmp_path / "cover.png", "-map", "0", "-map", "1", "-c:v", "copy", tmp_path / "a.mp3")
    assert not probe(tmp_path / "a.mp3").has_video


def test_the_start_is_exact(tmp_path: Path) -> None:
    # 1/90000 s is no whole number of microseconds.
    ffmpeg(*SOURCES, *H264_AAC, "-muxdelay", "0", "-output_ts_offset", "7", tmp_path / "a.ts")
    start_s = probe(tmp_path / "a.ts").start_s
    assert start_s == pytest.approx(7, abs=0.1)
    assert abs(start_s * 90000 - round(start_s * 90000)) < 1e-6


def test_an_unknown_duration_is_nan(tmp_path: Path) -> None:
    out = subprocess.run(
        [ffmpeg_path(None), "-v", "error", *SOURCES, "-c:v", "libvpx", "-an", "-f", "webm", "-live", "1", "pipe:1"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    assert math.isnan(probe(io.BytesIO(out)).duration_s)


def test_a_file_object_stays_open(video: Path) -> None:
    with video.open("rb") as file:
        assert probe(file) == probe(video)
        assert not file.closed


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such names")
@pytest.mark.parametrize(
    "name", ["-x.mp4", "concat:a|b.mp4", "file:a.mp4", "pipe:0", "http:a.mp4", "a%03d.mp4", "é\n.mp4"]
)
def test_names_are_plain_names(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(video.read_bytes())
    assert probe(name).has_video
    assert probe(Path(name)).has_video


# Text that names a.mp4, a video beside it: ffmpeg follows it when asked in the usual way.
FOLLOWED = {
    "hls": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.mp4\n#EXT-X-ENDLIST\n",
    "ffconcat": b"ffconcat version 1.0\nfile 'a.mp4'\n",
}
NO_MEDIA = {
    **FOLLOWED,
    "hls_secret": b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    b"a=rtpmap:96 H264/90000\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
    b' mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1"'
    b' bandwidth="1"><BaseURL>a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "text": b"Dear diary, today nothing moved and nothing made a sound.\n" * 200,
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nHello\n\n" * 50,
    "html": b"<!doctype html><html><body>Not found</body></html>",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(3000),
    "zeros": bytes(100_000),
    "empty": b"",
}


@pytest.mark.parametrize("kind", NO_MEDIA)
@pytest.mark.parametrize("suffix", ["mp4", "m3u8"])
def test_what_is_no_media_is_refused(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.mp4").write_bytes(video.read_bytes())
    path = Path(f"video.{suffix}")
    path.write_bytes(NO_MEDIA[kind])
    for file in (path, str(path), io.BytesIO(NO_MEDIA[kind])):
        with pytest.raises(MediaError, match=r"can't be read|neither audio nor video"):
            probe(file)
    with path.open("rb") as opened, pytest.raises(MediaError):
        probe(opened)


@pytest.mark.parametrize("kind", FOLLOWED)
def test_ffmpeg_itself_would_follow(video: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.mp4").write_bytes(video.read_bytes())
    (tmp_path / "b.m3u8").write_bytes(FOLLOWED[kind])
    # HLS wants known suffixes of segments by now; the list of them is for the playlist's author to choose.
    options = ["-allowed_extensions", "ALL", "-extension_picky", "0"] if kind == "hls" else []
    ffmpeg(*options, "-i", tmp_path / "b.m3u8", "-f", "null", "-")


def test_a_file_that_was_cut_off_is_refused(video: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(video.read_bytes()[:1000])
    with pytest.raises(MediaError, match=r"a\.mp4 can't be read"):
        probe(tmp_path / "a.mp4")


def test_files_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.mp4", tmp_path, Path("a\0b")):
        with pytest.raises(MediaError, match="can't be opened"):
            probe(path)
