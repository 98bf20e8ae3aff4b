"""A live HLS stream to follow, with everything that happens to one: ads, stalls, restarts, clocks that jump.

    live = LiveStream(made)
    live.at(20, lambda: live.ads(12))
    live.at(60, live.end)
    with Origin(folder) as origin:
        origin.mount("/live/", live)
        reader = LiveReader(..., origin.url("live/index.m3u8"))

Its clock is virtual. Each request of the playlist moves it on by one segment, unless the reader is behind: then the
stream waits, however slow the machine is. So a test of a minute of stream takes the second that reading it takes, and
nothing depends on the wall clock. The tags are those of RFC 8216; ads look as Twitch's do: EXT-X-DATERANGE with
CLASS="twitch-stitched-ad" between discontinuities (streamlink, plugins/twitch.py).
"""

from __future__ import annotations

import re
import subprocess
import threading
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from tests.origin.faults import Reply, Seen, Status
from tests.origin.media import ffmpeg
from tests.origin.shift import WRAP_90KHZ, shift_mp4, shift_ts, timescales_of

FPS = 10
SAMPLE_RATE_HZ = 48_000
# 16 pictures at 10 fps and 75 AAC frames at 48 kHz: segments fit together in both.
SEGMENT_S = 1.6
FIRST_PROGRAM_S = 1_790_000_000.0


def luma_at(time_s: float) -> float:
    """What the pictures of `make_ramp` show at an instant: two levels a second."""
    return 20 + 2 * time_s


def tone_hz_at(time_s: float) -> float:
    """What its sound is at an instant: a tone that rises by 20 Hz a second."""
    return 300 + 20 * time_s


@dataclass(frozen=True)
class Made:
    """A recording cut into segments of `SEGMENT_S`, to be shown again and again.

    Attributes:
        segments: complete files.
        init: what goes before each of them (fMP4); empty for MPEG-TS.
    """

    segments: tuple[bytes, ...]
    init: bytes = b""

    def copy(self, number: int, by_90khz: int, counters: dict[int, int]) -> bytes:
        """Segment `number` of the endless stream, its clock moved by so much more."""
        loops, place = divmod(number, len(self.segments))
        by_90khz += round(loops * len(self.segments) * SEGMENT_S * 90_000)
        if self.init:
            return shift_mp4(self.segments[place], by_90khz, timescales_of(self.init))
        return shift_ts(self.segments[place], by_90khz % WRAP_90KHZ, counters)


def make_ramp(folder: Path, *, duration_s: float = 64.0, container: str = "mpegts", constant: bool = False) -> Made:
    """Media whose brightness and pitch tell the time they belong to; constant: bright, and 5 kHz, as an ad is."""
    folder.mkdir(parents=True, exist_ok=True)
    # One more: the last segment of a recording ends with its sound, a little off.
    times_s = np.arange(round((duration_s + SEGMENT_S) * FPS)) / FPS
    luma = np.full(times_s.shape, 240.0) if constant else luma_at(times_s)
    pictures = b"".join(bytes([round(level)]) * (160 * 90) + b"\x80" * (80 * 45 * 2) for level in luma)
    samples_s = np.arange(round((duration_s + SEGMENT_S) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    hz = np.full(samples_s.shape, 5000.0) if constant else tone_hz_at(samples_s)
    tone = np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ) * 0.3
    with wave.open(str(folder / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((tone * 32767).astype("<i2").tobytes())
    whole = folder / "whole.mp4"
    command: list[str | Path] = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "160x90", "-r", str(FPS), "-i", "pipe:0"]
    command += ["-i", folder / "tone.wav", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "8", "-threads", "1"]
    command += ["-g", str(round(SEGMENT_S * FPS)), "-keyint_min", str(round(SEGMENT_S * FPS)), "-sc_threshold", "0"]
    command += ["-c:a", "aac", "-aac_pns", "0", "-b:a", "64k", whole]
    subprocess.run(command, input=pictures, check=True)
    suffix = "ts" if container == "mpegts" else "m4s"
    kind = [] if suffix == "ts" else ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"]
    name = folder / f"made_%03d.{suffix}"
    hls: list[str | Path] = ["-c", "copy", "-f", "hls", "-hls_time", str(SEGMENT_S), "-hls_list_size", "0", *kind]
    ffmpeg("-i", whole, *hls, "-hls_segment_filename", name, folder / "made.m3u8")
    files = sorted(folder.glob(f"made_*.{suffix}"))
    assert len(files) == round(len(times_s) / FPS / SEGMENT_S), (
        f"expected segments of {SEGMENT_S} s, got {len(files)} files"
    )
    init = (folder / "init.mp4").read_bytes() if suffix == "m4s" else b""
    return Made(tuple(file.read_bytes() for file in files[:-1]), init)


@dataclass
class _Listed:
    """A segment in the playlist, and what makes its bytes."""

    sequence: int
    name: str
    world_s: float
    made: Made
    number: int
    by_90khz: int
    discontinuity: bool
    ad: bool
    lost: bool = False
    counters: dict[int, int] = field(default_factory=dict)

    def bytes(self) -> bytes:
        return self.made.copy(self.number, self.by_90khz, dict(self.counters))


class LiveStream:
    """The stream of a channel, as content of an `Origin`'s mount.

    What a program shows at `world_s`, the seconds since the stream began in the world, is segment
    `world_s / SEGMENT_S` of the made media; so pictures tell when they were taken, whatever the playlist says.

    Args:
        made: the program.
        ad: what advertising breaks show.
        window: how many segments the playlist lists; None: all (EVENT).
        listed: how many are there at the beginning.
        program_dates: whether the playlist tells the time of day.
        sequence: number of the first segment.
        stamp_90khz: added to the made media's time stamps.
        reload_s: the target duration that the playlist claims; short, so that it is asked again soon.
        key: encrypts the segments with AES-128; empty: they are not.

    Attributes:
        world_s: the virtual clock: the end of the newest segment.
        ahead: the stream waits while so many of the newest segments have not been asked for.
        unasked: names of listed segments that nobody has asked for.
    """

    def __init__(
        self,
        made: Made,
        ad: Made | None = None,
        *,
        window: int | None = 8,
        listed: int = 6,
        program_dates: bool = True,
        sequence: int = 100,
        stamp_90khz: int = 0,
        reload_s: float = 0.01,
        key: bytes = b"",
    ) -> None:
        self.world_s = 0.0
        self.ahead = 3
        self.unasked: set[str] = set()
        self.ended = False
        self._made = made
        self._ad = ad
        self._window = window
        self._program_dates = program_dates
        self._reload_s = reload_s
        self._key = key
        self._lock = threading.RLock()
        self._segments: list[_Listed] = []
        self._attic: list[_Listed] = []
        self._dropped_discontinuities = 0
        self._next_sequence = sequence
        self._by_90khz = stamp_90khz
        self._counters: dict[int, int] = {}
        self._discontinuity = False
        self._ads_until_s = 0.0
        self._ad_breaks: list[tuple[float, float]] = []
        self._lose_next = 0
        self._stalled = False
        self._fault: Status | None = None
        self._life = 0
        self._plan: list[tuple[float, Callable[[], object]]] = []
        self.grow(listed)
        self.unasked.clear()

    def at(self, world_s: float, do: Callable[[], object]) -> None:
        """Have something happen when the virtual clock gets there."""
        with self._lock:
            self._plan = sorted([*self._plan, (world_s, do)], key=lambda item: item[0])

    def grow(self, segments: int) -> None:
        """Move the virtual clock on, whether anybody reads or not."""
        for _ in range(segments):
            self._grow()

    def ads(self, duration_s: float) -> None:
        """The next segments are advertising; the program goes on meanwhile, unseen."""
        self._ads_until_s = self.world_s + duration_s - 1e-6
        self._ad_breaks.append((self.world_s, duration_s))
        self._discontinuity = True

    def discontinuity(self) -> None:
        self._discontinuity = True

    def reset_stamps(self, to_90khz: int = 0, *, declared: bool = True) -> None:
        """The program's time stamps begin anew, with or without EXT-X-DISCONTINUITY."""
        self._by_90khz = to_90khz - round(self.world_s * 90_000)
        self._discontinuity = declared

    def jump(self, segments: int) -> None:
        """Segments that the playlist never lists: numbers in a list have no gaps, so it begins behind them."""
        self._put_away()
        self._next_sequence += segments
        self.world_s += segments * SEGMENT_S

    def restart(self, *, away_s: float = 0.0, sequence: int = 0) -> None:
        """The streamer's encoder comes back: another numbering, other time stamps, no word of it in the playlist."""
        self._put_away()
        self._dropped_discontinuities = 0
        self._life += 1
        self.world_s += away_s
        self._next_sequence = sequence
        self._by_90khz = -round(self.world_s * 90_000)
        self._counters = {}
        self._grow()

    def stall(self) -> None:
        """The playlist is served as before, but does not grow until `resume`."""
        self._stalled = True

    def resume(self) -> None:
        self._stalled = False
        self._fault = None

    def refuse(self, status: int) -> None:
        """The playlist is answered with an error until `resume`."""
        self._fault = Status(status)

    def lose(self, segments: int = 1) -> None:
        """The next segments are listed, but are not there."""
        self._lose_next = segments

    def end(self) -> None:
        """As platforms should: EXT-X-ENDLIST."""
        self.ended = True

    def vanish(self) -> None:
        """As platforms do: 404, for good."""
        self.refuse(404)
        self.ended = True

    def __call__(self, seen: Seen) -> bytes | Reply | None:
        with self._lock:
            name = seen.path.rpartition("/")[2]
            if name.endswith(".m3u8"):
                self._tick()
                return self._fault(seen, Reply()) if self._fault else self._playlist()
            if name == "init.mp4":
                return self._made.init or None
            if name == "key":
                return self._key or None
            self.unasked.discard(name)
            found = [
                segment for segment in [*self._segments, *self._attic] if segment.name == name and not segment.lost
            ]
        if not found:
            return None
        data = found[0].bytes()
        if not self._key:
            return data
        cipher = AES.new(self._key, AES.MODE_CBC, iv=found[0].sequence.to_bytes(16))
        return cipher.encrypt(pad(data, AES.block_size))

    def _put_away(self) -> None:
        """Nothing is listed any more; the files stay for a while, as RFC 8216, 6.2.2 demands."""
        self._attic, self._segments = self._segments, []
        self.unasked.clear()

    def _tick(self) -> None:
        """One segment more, unless the reader is behind, the stream stands still or has ended."""
        if not (self._stalled or self._fault or self.ended) and len(self.unasked) < self.ahead:
            while self._plan and self._plan[0][0] <= self.world_s:
                self._plan.pop(0)[1]()
            if not (self._stalled or self._fault or self.ended):
                self._grow()

    def _grow(self) -> None:
        is_ad = self.world_s < self._ads_until_s
        if not is_ad and self._segments and self._segments[-1].ad:
            self._discontinuity = True
        made = self._ad if is_ad and self._ad else self._made
        number = round(self.world_s / SEGMENT_S)
        name = f"{'ad' if is_ad else 'seg'}_{self._life}_{self._next_sequence}.{'m4s' if made.init else 'ts'}"
        by_90khz = 0 if is_ad else self._by_90khz
        segment = _Listed(
            self._next_sequence, name, self.world_s, made, number, by_90khz, self._discontinuity, is_ad,
            lost=self._lose_next > 0, counters=dict(self._counters),
        )  # fmt: skip
        if not made.init:
            made.copy(number, 0, self._counters)
        self._lose_next = max(0, self._lose_next - 1)
        self._discontinuity = False
        self._next_sequence += 1
        self.world_s = round(self.world_s + SEGMENT_S, 6)
        self._segments.append(segment)
        if not is_ad:
            self.unasked.add(name)
        if self._window is not None and len(self._segments) > self._window:
            gone = self._segments.pop(0)
            self._dropped_discontinuities += gone.discontinuity
            self.unasked.discard(gone.name)

    def _playlist(self) -> bytes:
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{self._reload_s:g}"]
        if self._window is None:
            lines.append("#EXT-X-PLAYLIST-TYPE:EVENT")
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{self._segments[0].sequence}")
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{self._dropped_discontinuities}")
        for number, (start_s, duration_s) in enumerate(self._ad_breaks):
            if start_s + duration_s > self._segments[0].world_s:
                facts = f'ID="stitched-ad-{number}",CLASS="twitch-stitched-ad",START-DATE="{_date(start_s)}"'
                lines.append(f"#EXT-X-DATERANGE:{facts},DURATION={duration_s:.3f}")
        if self._made.init:
            lines.append('#EXT-X-MAP:URI="init.mp4"')
        if self._key:
            lines.append('#EXT-X-KEY:METHOD=AES-128,URI="key"')
        for segment in self._segments:
            if segment.discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            if self._program_dates:
                lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.world_s)}")
            lines += [f"#EXTINF:{SEGMENT_S:.3f},live", segment.name]
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
        return ("\n".join(lines) + "\n").encode()


def _date(world_s: float) -> str:
    text = datetime.fromtimestamp(FIRST_PROGRAM_S + world_s, UTC).isoformat(timespec="milliseconds")
    return re.sub(r"\+00:00$", "Z", text)
