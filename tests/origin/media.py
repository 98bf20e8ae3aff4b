"""Tiny media for tests, made on the spot by the bundled ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg


def ffmpeg(*arguments: str | Path) -> None:
    """Run the bundled ffmpeg; a failure shows its complaint."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_media(
    target: Path, *, duration_s: float = 12.0, audio: bool = True, video: bool = True, size: str = "320x180"
) -> Path:
    """A moving test picture at 25 fps, a keyframe every second, with a tone; the container follows from the suffix."""
    arguments: list[str | Path] = []
    if video:
        arguments += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={duration_s}"]
    if audio:
        arguments += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={duration_s}"]
    webm = target.suffix == ".webm"
    if video:
        arguments += ["-c:v", "libvpx", "-deadline", "realtime", "-b:v", "200k"] if webm else _x264()
        arguments += ["-g", "25"]
    if audio:
        arguments += ["-c:a", "libopus" if webm else "aac", "-b:a", "64k"]
    ffmpeg(*arguments, target)
    return target


def make_hls(
    folder: Path,
    source: Path,
    container: str = "mpegts",
    renditions: Sequence[int] = (),
    *,
    segment_s: float = 2.0,
) -> str:
    """Cut a file into an HLS recording.

    Args:
        folder: where playlists and segments go; made when missing.
        source: a media file.
        container: "mpegts" or "fmp4".
        renditions: heights in pixels; each gets a playlist `<height>p.m3u8`, listed in `master.m3u8`. Empty: one
            rendition of the source's own size, `index.m3u8`, without a master.
        segment_s: length of the segments; each begins with a keyframe.

    Returns:
        The name of the playlist to start from, inside `folder`. Segments are `<playlist stem>_000.ts` (or `.m4s`, after
        `<playlist stem>_init.mp4`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not renditions:
        _cut(folder, source, container, "index", segment_s, [])
        return "index.m3u8"
    lines = ["#EXTM3U"]
    for height in renditions:
        width = round(height * 16 / 9 / 2) * 2
        _cut(folder, source, container, f"{height}p", segment_s, ["-vf", f"scale={width}:{height}"])
        facts = f'BANDWIDTH={height * 2000},RESOLUTION={width}x{height},CODECS="avc1.4d401f,mp4a.40.2"'
        lines.append(f"#EXT-X-STREAM-INF:{facts}")
        lines.append(f"{height}p.m3u8")
    (folder / "master.m3u8").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "master.m3u8"


def _cut(folder: Path, source: Path, container: str, stem: str, segment_s: float, filters: list[str]) -> None:
    kind: list[str | Path] = []
    suffix = "ts"
    if container == "fmp4":
        suffix = "m4s"
        kind = ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", f"{stem}_init.mp4"]
    ffmpeg(
        *("-i", source, *filters, *_x264(), "-force_key_frames", f"expr:gte(t,n_forced*{segment_s})"),
        *(
            "-c:a",
            "aac",
            "-aac_pns",
            "0",
            "-b:a",
            "64k",
            "-f",
            "hls",
            "-hls_time",
            str(segment_s),
            "-hls_playlist_type",
            "vod",
        ),
        *(*kind, "-hls_segment_filename", folder / f"{stem}_%03d.{suffix}", folder / f"{stem}.m3u8"),
    )


def _x264() -> list[str | Path]:
    return ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1"]
