"""Tiny media for tests, made on the spot by the bundled ffmpeg."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad


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
    renditions: Sequence[int | str] = (),
    *,
    segment_s: float = 2.0,
    separate_audio: bool = False,
    key: bool = False,
    byte_ranges: bool = False,
    suffixes: bool = True,
) -> str:
    """Cut a file into an HLS recording.

    Args:
        folder: where playlists and segments go; made when missing.
        source: a media file.
        container: "mpegts" or "fmp4".
        renditions: heights in pixels, names such as "1080p60", or "audio" for sound alone; each gets a playlist
            (`360p.m3u8`, `1080p60.m3u8`, `audio.m3u8`), listed in `master.m3u8`. Empty: one rendition of the
            source's own size, `index.m3u8`, without a master.
        segment_s: length of the segments; each begins with a keyframe.
        separate_audio: the pictures' playlists have no sound; `sound.m3u8` holds it, as a group of the master.
        key: AES-128, with `<playlist stem>_key0.bin` and without an IV (it is the sequence number then), in the second
            half with `<playlist stem>_key1.bin` and an IV.
        byte_ranges: all segments of a rendition lie in one file, `<playlist stem>.bin`.
        suffixes: whether segments have an extension.

    Returns:
        The name of the playlist to start from, inside `folder`. Segments are `<playlist stem>_000.ts` (or `.m4s`,
        after `<playlist stem>_init.mp4`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{name}p" if isinstance(name, int) else name for name in renditions]
    for name in names or ["index"]:
        _cut(folder, source, container, name, segment_s, [*_picture(name), *(["-an"] if separate_audio else [])])
    if separate_audio:
        _cut(folder, source, container, "sound", segment_s, ["-vn"])
    for playlist in folder.glob("*.m3u8"):
        if key:
            _encrypt(playlist)
        if byte_ranges:
            _into_one_file(playlist)
        elif not suffixes:
            _without_suffixes(playlist)
    if not names:
        return "index.m3u8"
    (folder / "master.m3u8").write_text(_master(names, separate_audio=separate_audio), encoding="utf-8")
    return "master.m3u8"


def _master(names: Sequence[str], *, separate_audio: bool) -> str:
    lines = ["#EXTM3U"]
    group = ""
    if separate_audio:
        lines.append('#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,URI="sound.m3u8"')
        group = ',AUDIO="sound"'
    for name in names:
        height, rate = _size_and_rate(name)
        if not height:
            lines += ['#EXT-X-STREAM-INF:BANDWIDTH=70000,CODECS="mp4a.40.2"', f"{name}.m3u8"]
            continue
        facts = f"BANDWIDTH={height * 2000 * max(rate, 30) // 30},RESOLUTION={_width(height)}x{height}"
        facts += f",FRAME-RATE={rate}.000" if rate else ""
        lines += [f'#EXT-X-STREAM-INF:{facts},CODECS="avc1.4d401f,mp4a.40.2"{group}', f"{name}.m3u8"]
    return "\n".join(lines) + "\n"


def _size_and_rate(name: str) -> tuple[int, int]:
    """Height and frames per second of "1080p60"; 0 for what the name does not say."""
    height, _, rate = name.partition("p")
    return (int(height), int(rate or 0)) if height.isdigit() else (0, 0)


def _width(height: int) -> int:
    return round(height * 16 / 9 / 2) * 2


def _picture(name: str) -> list[str]:
    if name == "audio":
        return ["-vn"]
    height, rate = _size_and_rate(name)
    return [*(["-vf", f"scale={_width(height)}:{height}"] if height else []), *(["-r", str(rate)] if rate else [])]


def _cut(folder: Path, source: Path, container: str, stem: str, segment_s: float, options: list[str]) -> None:
    kind: list[str | Path] = []
    suffix = "ts"
    if container == "fmp4":
        suffix = "m4s"
        kind = ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", f"{stem}_init.mp4"]
    sound = ["-c:a", "aac", "-aac_pns", "0", "-b:a", "64k"]
    hls = ["-f", "hls", "-hls_time", str(segment_s), "-hls_playlist_type", "vod"]
    ffmpeg(
        *("-i", source, *options, *_x264(), "-force_key_frames", f"expr:gte(t,n_forced*{segment_s})"),
        *(*sound, *hls, *kind, "-hls_segment_filename", folder / f"{stem}_%03d.{suffix}", folder / f"{stem}.m3u8"),
    )


def _segments(lines: Sequence[str]) -> list[int]:
    """Which lines of a media playlist name segments."""
    return [n for n, line in enumerate(lines) if line and not line.startswith("#")]


def _encrypt(playlist: Path) -> None:
    """AES-128 as RFC 8216 5.2 has it; init sections stay clear, for they stand before the first key."""
    lines = playlist.read_text(encoding="utf-8").splitlines()
    places = _segments(lines)
    rng = random.Random(playlist.stem)
    keys = [rng.randbytes(16), rng.randbytes(16)]
    explicit_iv = rng.randbytes(16)
    half = (len(places) + 1) // 2
    for number, data in enumerate(keys):
        (playlist.parent / f"{playlist.stem}_key{number}.bin").write_bytes(data)
    for sequence, place in enumerate(places):
        file = playlist.parent / lines[place]
        second = sequence >= half
        iv = explicit_iv if second else sequence.to_bytes(16)
        cipher = AES.new(keys[second], AES.MODE_CBC, iv=iv)
        file.write_bytes(cipher.encrypt(pad(file.read_bytes(), AES.block_size)))
    # A segment's first tag is its duration, one line above its name.
    tag = '#EXT-X-KEY:METHOD=AES-128,URI="{}_key{}.bin"'
    if half < len(places):
        lines.insert(places[half] - 1, f"{tag.format(playlist.stem, 1)},IV=0x{explicit_iv.hex()}")
    lines.insert(places[0] - 1, tag.format(playlist.stem, 0))
    playlist.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _into_one_file(playlist: Path) -> None:
    lines = playlist.read_text(encoding="utf-8").splitlines()
    data = b""
    for place in _segments(lines):
        file = playlist.parent / lines[place]
        segment = file.read_bytes()
        file.unlink()
        lines[place] = f"#EXT-X-BYTERANGE:{len(segment)}@{len(data)}\n{playlist.stem}.bin"
        data += segment
    (playlist.parent / f"{playlist.stem}.bin").write_bytes(data)
    playlist.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _without_suffixes(playlist: Path) -> None:
    lines = playlist.read_text(encoding="utf-8").splitlines()
    for place in _segments(lines):
        file = playlist.parent / lines[place]
        lines[place] = file.rename(file.with_suffix("")).name
    playlist.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _x264() -> list[str | Path]:
    return ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1"]
