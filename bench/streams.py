"""Made streams of any length: a minute is encoded once and repeated by stream copy."""

from __future__ import annotations

import functools
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SEGMENT_S = 4
LOOP_S = 60
# Of 1080p60 less is made, for it takes a minute of CPU to encode.
LARGE_LOOP_S = 30

# What small streams of games look like to a decoder: movement everywhere, grain, sound without pauses.
MADE_PICTURE = "testsrc2=size={size}:rate={rate},noise=alls=10:allf=t"
MADE_SOUND = "anoisesrc=color=pink:amplitude=0.3:sample_rate=48000,tremolo=f=0.3:d=0.8"


def made_minute(ffmpeg: str, folder: Path, media: Path | None = None) -> Path:
    """One minute of 284x160 at 30 fps, about 250 kbit/s, with AAC at 96 kbit/s, as MP4.

    Args:
        ffmpeg: the binary.
        folder: where to write.
        media: a recording to take the minute from; None makes one.
    """
    target = folder / "minute.mp4"
    inputs = _made_inputs("284x160", 30) if media is None else ["-i", str(media)]
    picture = ["-vf", "scale=284:160,fps=30", *_x264("veryfast", 250)]
    sound = ["-c:a", "aac", "-b:a", "96k", "-ar", "48000", "-ac", "2"]
    _run(ffmpeg, [*inputs, "-t", str(LOOP_S), *picture, *sound, str(target)])
    return target


def made_large(ffmpeg: str, folder: Path, media: Path | None = None) -> Path:
    """Half a minute of 1080p60 as streaming software makes it: 6 Mbit/s, two B-frames, a keyframe every 2 s.

    Args:
        ffmpeg: the binary.
        folder: where to write.
        media: a recording to take it from; None makes one.
    """
    target = folder / "large.mp4"
    inputs = _made_inputs("1920x1080", 60) if media is None else ["-stream_loop", "-1", "-i", str(media)]
    picture = ["-vf", "scale=1920:1080,fps=60", *_x264("veryfast", 6000), "-bf", "2", "-sc_threshold", "0"]
    sound = ["-c:a", "aac", "-b:a", "160k", "-ar", "48000", "-ac", "2"]
    _run(ffmpeg, [*inputs, "-t", str(LARGE_LOOP_S), *picture, *sound, str(target)])
    return target


def looped(ffmpeg: str, piece: Path, target: Path, duration_s: float) -> Path:
    """Repeat a piece up to a duration, with unbroken time stamps; `target` ending in .m3u8 gives HLS beside it."""
    hls = ["-f", "hls", "-hls_time", str(SEGMENT_S), "-hls_list_size", "0", "-hls_playlist_type", "vod"]
    options = hls if target.suffix == ".m3u8" else []
    _run(
        ffmpeg,
        ["-stream_loop", "-1", "-i", str(piece), "-t", str(duration_s), "-c", "copy", *options, str(target)],
    )
    return target


def hls_with_1080p60(ffmpeg: str, minute: Path, folder: Path, duration_s: float) -> Path:
    """A master playlist with a 160p rendition, which analysis reads, and a 1080p60 one of a single repeated segment."""
    small, large = folder / "160p", folder / "1080p60"
    for rendition in (small, large):
        rendition.mkdir(parents=True)
    looped(ffmpeg, minute, small / "index.m3u8", duration_s)
    segment = [*_made_inputs("1920x1080", 60), "-t", str(SEGMENT_S), *_x264("ultrafast", 6000)]
    _run(ffmpeg, [*segment, "-c:a", "aac", "-b:a", "160k", str(large / "0.ts")])
    entry = f"#EXTINF:{SEGMENT_S}.0,\n0.ts\n"
    segments = "#EXT-X-DISCONTINUITY\n".join([entry] * int(duration_s // SEGMENT_S))
    head = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{SEGMENT_S}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    (large / "index.m3u8").write_text(f"{head}{segments}#EXT-X-ENDLIST\n", encoding="utf-8")
    master = folder / "master.m3u8"
    codecs = 'CODECS="avc1.42c01f,mp4a.40.2"'
    master.write_text(
        "#EXTM3U\n"
        f"#EXT-X-STREAM-INF:BANDWIDTH=6500000,RESOLUTION=1920x1080,FRAME-RATE=60,{codecs}\n1080p60/index.m3u8\n"
        f"#EXT-X-STREAM-INF:BANDWIDTH=380000,RESOLUTION=284x160,FRAME-RATE=30,{codecs}\n160p/index.m3u8\n",
        encoding="utf-8",
    )
    return master


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served on this machine, by a thread of this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Requests are not news."""


def _made_inputs(size: str, rate: int) -> list[str]:
    return ["-f", "lavfi", "-i", MADE_PICTURE.format(size=size, rate=rate), "-f", "lavfi", "-i", MADE_SOUND]


def _x264(preset: str, kbps: int) -> list[str]:
    rate = ["-b:v", f"{kbps}k", "-maxrate", f"{kbps * 6 // 5}k", "-bufsize", f"{kbps * 2}k"]
    return ["-c:v", "libx264", "-preset", preset, *rate, "-g", "120", "-pix_fmt", "yuv420p"]


def _run(ffmpeg: str, arguments: list[str]) -> None:
    subprocess.run([ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-y", *arguments], check=True)
