"""A recording of any length that takes no room: a few made segments, served again and again at later times.

    stream = VirtualStream.made(folder, duration_s=36_000)
    origin.mount("/long/", stream)
    resolve(origin.url("/long/master.m3u8"), settings)

The master lists 160p (284x160, 30 fps) and 1080p60. Time stamps rise all the way; like real ones they wrap after 26.5
hours. A seam joins whole frames of both media, so ten hours of sound last ten hours.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from tests.origin.faults import Seen
from tests.origin.media import ffmpeg
from tests.origin.shift import payload_packets, shift_ts

SEGMENT_S = 4
CLOCK_HZ = 90_000
# 8 s are 375 frames of AAC at 48 kHz, so loops of whole multiples of it join without a gap.
SEAMLESS_S = 8
# The beginning of an encode holds priming samples that are not repeated.
SKIPPED_S = 8

PICTURE = "testsrc2=size={size}:rate={rate},noise=alls=10:allf=t"
SOUND = "anoisesrc=color=pink:amplitude=0.3:sample_rate=48000,tremolo=f=0.3:d=0.8"


class VirtualRendition:
    """One quality: a loop of segments of `SEGMENT_S`, and what the master playlist says of it."""

    def __init__(self, name: str, facts: str, loop: Sequence[bytes]) -> None:
        self.name = name
        self.facts = facts
        self.loop = loop
        self._packets = [payload_packets(data) for data in loop]

    def segment(self, n: int) -> bytes:
        """Segment n of the recording, as if it had all been encoded in one go."""
        turns, place = divmod(n, len(self.loop))
        counters: Counter[int] = Counter()
        for number, counts in enumerate(self._packets):
            for pid, count in counts.items():
                counters[pid] += count * (turns + (number < place))
        by_90khz = (turns * len(self.loop) * SEGMENT_S - SKIPPED_S) * CLOCK_HZ
        return shift_ts(self.loop[place], by_90khz, {pid: count % 16 for pid, count in counters.items()})

    def size(self, first: int, stop: int) -> int:
        """Bytes of the segments `[first, stop)`."""
        return sum(len(self.loop[n % len(self.loop)]) for n in range(first, stop))


class VirtualStream:
    """Serves `master.m3u8`, `<name>.m3u8` and `<name>_<n>.ts` of its renditions, below any prefix.

    Args:
        renditions: cheapest first.
        duration_s: a multiple of `SEGMENT_S`.
    """

    def __init__(self, renditions: Sequence[VirtualRendition], duration_s: float) -> None:
        self.renditions = {rendition.name: rendition for rendition in renditions}
        self.segments = math.ceil(duration_s / SEGMENT_S)

    @classmethod
    def made(cls, folder: Path, duration_s: float, *, large: bool = True) -> VirtualStream:
        """One of 160p, about 350 kbit/s, and with `large` one of 1080p60, about 8 Mbit/s."""
        small = _loop(folder, "160p", "284x160", 30, seconds=64, kbps=250)
        facts = 'BANDWIDTH=380000,RESOLUTION=284x160,FRAME-RATE=30.000,CODECS="avc1.42c01f,mp4a.40.2"'
        renditions = [VirtualRendition("160p", facts, small)]
        if large:
            loop = _loop(folder, "1080p60", "1920x1080", 60, seconds=SEAMLESS_S, kbps=8000)
            facts = 'BANDWIDTH=9000000,RESOLUTION=1920x1080,FRAME-RATE=60.000,CODECS="avc1.42c02a,mp4a.40.2"'
            renditions.append(VirtualRendition("1080p60", facts, loop))
        return cls(renditions, duration_s)

    def __call__(self, seen: Seen) -> bytes | None:
        name = seen.path.rpartition("/")[2]
        if name == "master.m3u8":
            entries = [f"#EXT-X-STREAM-INF:{one.facts}\n{one.name}.m3u8\n" for one in self.renditions.values()]
            return f"#EXTM3U\n{''.join(entries)}".encode()
        match = re.fullmatch(r"(\w+?)(?:_(\d+)\.ts|\.m3u8)", name)
        if match is None or match[1] not in self.renditions:
            return None
        if match[2] is None:
            return self._playlist(match[1])
        return self.renditions[match[1]].segment(int(match[2])) if int(match[2]) < self.segments else None

    def size(self, name: str) -> int:
        """Bytes of a whole rendition."""
        return self.renditions[name].size(0, self.segments)

    def _playlist(self, name: str) -> bytes:
        head = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{SEGMENT_S}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        entries = [f"#EXTINF:{SEGMENT_S}.000,\n{name}_{n:05d}.ts\n" for n in range(self.segments)]
        return f"{head}{''.join(entries)}#EXT-X-ENDLIST\n".encode()


def _loop(folder: Path, name: str, size: str, rate: int, *, seconds: int, kbps: int) -> tuple[bytes, ...]:
    """Segments of `seconds`, cut from the middle of an encode, where each frame has its neighbors."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = ["-f", "lavfi", "-i", PICTURE.format(size=size, rate=rate)]
    sound = ["-f", "lavfi", "-i", SOUND]
    speed = ["-b:v", f"{kbps}k", "-maxrate", f"{kbps}k", "-bufsize", f"{2 * kbps}k", "-g", str(SEGMENT_S * rate)]
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1", "-sc_threshold", "0"]
    # Noise substitution makes decoders put random noise where noise was: no two runs would agree.
    aac = ["-c:a", "aac", "-aac_pns", "0", "-b:a", "96k", "-ac", "2"]
    # A segment more than is taken: what ends a file is not what ends a segment.
    length = ["-t", str(SKIPPED_S + seconds + SEGMENT_S)]
    hls = ["-f", "hls", "-hls_time", str(SEGMENT_S), "-hls_list_size", "0", "-hls_playlist_type", "vod"]
    names = folder / f"{name}_%05d.ts"
    ffmpeg(
        *picture, *sound, *length, *x264, *speed, *aac, *hls, "-hls_segment_filename", names, folder / f"{name}.m3u8"
    )
    made = sorted(folder.glob(f"{name}_*.ts"))
    first = SKIPPED_S // SEGMENT_S
    return tuple(file.read_bytes() for file in islice(made, first, first + seconds // SEGMENT_S))
