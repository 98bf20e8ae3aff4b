"""Whether all of a clip can be decoded, looked at behind its publishing: every picture and every sample.

It runs in a process of its own, which yields to all others and can be ended at any moment, also when a decoder hangs or
crashes over a file that a stranger made: `python -m kick_clip_generator.media.whole THREADS FILE`.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

import kick_clip_generator
from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.check import LENIENT_OPTIONS, STRICT_OPTIONS, stands_alone
from kick_clip_generator.media.ffmpeg import POLL_S, StderrTail, kill, spawn
from kick_clip_generator.media.probe import best_streams, open_media

# It need not be soon: the rest of the machine stays for whoever works on it.
THREADS = 2
NICE = 10
# Windows' name for that.
BELOW_NORMAL_PRIORITY_CLASS = 0x4000

# How often the child says how far it is.
SAY_EVERY_S = 0.5
# Sound that comes in other pieces than it was packed in may lack this much in all: two frames of AAC.
SOUND_SLACK_S = 0.05

_SOUND = "sound"
_DAMAGED = "damaged"
_AT = "at"


def check_whole(
    path: Path, *, threads: int = THREADS, stall_s: float = 60.0, cancel: CancelToken | None = None
) -> None:
    """Decode all of a clip in a process of low priority.

    Whatever is raised, KeyboardInterrupt included, the process is gone when this returns.

    Args:
        path: any media file.
        threads: of the decoder of pictures; about so many pictures are in memory at once.
        stall_s: longest time without progress.
        cancel: looked at every 0.1 s.

    Raises:
        MediaError: says what is wrong and where, without the file's name.
        Cancelled: when the token is up.
    """
    root = str(Path(kick_clip_generator.__file__).resolve().parents[1])
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    # Not from the folder it runs in: whatever lies there must not be imported.
    command = [sys.executable, "-P", "-m", __name__, str(threads), os.path.abspath(path)]
    process = spawn(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stderr is not None
        tail = StderrTail(process.stderr)
        said = _Said(process.stdout)
        while True:
            if cancel is not None:
                cancel.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
                break
            if said.silent_s() > stall_s:
                raise MediaError(f"Decoding stood still for {stall_s:g} s behind {said.last_s:.1f} s.")
    finally:
        kill(process)
    verdict, _, sentence = said.verdict().partition(" ")
    if verdict == _DAMAGED:
        raise MediaError(sentence)
    if verdict != _SOUND:
        # A crash; the system's memory killer looks the same, and damaged is what nobody should rely on.
        why = f"signal {-process.returncode}" if process.returncode < 0 else " ".join(tail.lines()[-1:])
        raise MediaError(f"The decoder broke down behind {said.last_s:.1f} s ({why or process.returncode}).")


class _Said:
    """What the child says, read in a thread: how far it is, and at last its verdict."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.last_s = 0.0
        self._stream = stream
        self._heard_at = time.monotonic()
        self._verdict = ""
        self._thread = threading.Thread(target=self._read, name="whole-clip", daemon=True)
        self._thread.start()

    def silent_s(self) -> float:
        return time.monotonic() - self._heard_at

    def verdict(self) -> str:
        """Complete once the process has ended."""
        self._thread.join(timeout=1.0)
        return self._verdict

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._stream:
            for line in self._stream:
                self._heard_at = time.monotonic()
                kind, _, value = line.decode("utf-8", "replace").strip().partition(" ")
                if kind == _AT:
                    self.last_s = float(value)
                else:
                    self._verdict = f"{kind} {value}"


def decode_whole(path: Path, *, threads: int = THREADS) -> None:
    """Decode every picture and every sample of a file, and count them against its container.

    Of a copy that begins inside an open group of pictures, those that refer to what came before are not shown and not
    counted.

    Raises:
        MediaError: as `check_whole`.
    """
    pictures, sound = _Count(), _Count()
    said_at = 0.0
    try:
        with open_media(path) as container:
            streams = [stream for stream in best_streams(container) if stream is not None]
            if not streams:
                raise MediaError("The file holds neither sound nor picture.")
            for stream in streams:
                stream.codec_context.thread_count = threads if isinstance(stream, VideoStream) else 1
            for packet in container.demux(*streams):
                if not isinstance(packet.stream, (VideoStream, AudioStream)):
                    continue
                count = pictures if isinstance(packet.stream, VideoStream) else sound
                _decode(packet, count)
                if time.monotonic() - said_at > SAY_EVERY_S:
                    said_at = time.monotonic()
                    _say(_AT, f"{max(pictures.at_s, sound.at_s):.3f}")
            _check_end(container, streams, pictures, sound)
    except MediaError as error:
        # `open_media` makes one of whatever the decoders raise.
        reason = getattr(error.__cause__, "strerror", None)
        if reason is None:
            raise
        at_s = max(pictures.at_s, sound.at_s)
        raise MediaError(f"At about {at_s:.1f} s something cannot be decoded ({str(reason).lower()}).") from None


@dataclass(slots=True)
class _Count:
    """Of one medium.

    Attributes:
        packets: all of them.
        expected, got: pictures; seconds of sound.
        at_s: where the last frame is.
        key: when the first packet is shown, in its stream's ticks.
    """

    packets: int = 0
    expected: float = 0
    got: float = 0
    at_s: float = 0.0
    key: int | None = None


def _decode(packet: Packet[Any], count: _Count) -> None:
    stream = packet.stream
    is_video = isinstance(stream, VideoStream)
    if packet.size:
        if packet.is_corrupt or packet.pts is None:
            raise MediaError(f"At about {count.at_s:.1f} s media are missing.")
        count.packets += 1
        if count.key is None:
            count.key = packet.pts
            strict = not is_video or stands_alone(stream, packet)
            stream.codec_context.options = STRICT_OPTIONS if strict else LENIENT_OPTIONS
        if not packet.is_discard and packet.pts >= count.key:
            count.expected += 1 if is_video else float((packet.duration or math.nan) * packet.time_base)
    for frame in packet.decode():
        if not isinstance(frame, (VideoFrame, AudioFrame)):
            continue
        if frame.is_corrupt or frame.pts is None or frame.time_base is None or count.key is None:
            raise MediaError(f"At about {count.at_s:.1f} s a frame is damaged.")
        count.at_s = float(frame.pts * frame.time_base)
        if isinstance(frame, AudioFrame):
            count.got += frame.samples / frame.sample_rate
        elif frame.pts >= count.key:
            count.got += 1


def _check_end(container: InputContainer, streams: list[Any], pictures: _Count, sound: _Count) -> None:
    for stream, count in ((stream, pictures if stream.type == "video" else sound) for stream in streams):
        # MP4 has all in its index; other containers index keyframes alone, or nothing.
        if "mp4" in container.format.name and count.packets < len(stream.index_entries):
            counts = f"{count.packets} of {len(stream.index_entries)} packets"
            raise MediaError(f"The {stream.type} ends at about {count.at_s:.1f} s, after {counts}.")
    if pictures.got != pictures.expected:
        raise MediaError(f"{pictures.got:.0f} of {pictures.expected:.0f} pictures can be decoded.")
    if sound.got < sound.expected - SOUND_SLACK_S:
        raise MediaError(f"{sound.got:.1f} of {sound.expected:.1f} s of sound can be decoded.")


def _say(kind: str, value: str = "") -> None:
    """A line for the parent; file names may hold what no terminal can show."""
    line = f"{kind} {' '.join(value.split())}".encode("ascii", "replace").decode()
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _yield_to_others() -> None:
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetPriorityClass(ctypes.windll.kernel32.GetCurrentProcess(), BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICE)


def main(argv: list[str]) -> int:
    """The child: progress and the verdict go to stdout, a line each."""
    _yield_to_others()
    threads, name = argv
    try:
        decode_whole(Path(name), threads=int(threads))
    except MediaError as error:
        _say(_DAMAGED, str(error))
    else:
        _say(_SOUND)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
