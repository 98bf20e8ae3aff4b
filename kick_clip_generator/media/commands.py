"""The ffmpeg command lines that put a stream's sound and pictures on the tick grid, to the sample and to the frame.

Both take the instant of the first tick in the stream's own time stamps, and make it time 0 of their output.
"""

from __future__ import annotations

import math

from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.media.clock import StreamClock

SAMPLE_RATE_HZ = 16_000
FRAME_WIDTH_PX = 160
FRAME_HEIGHT_PX = 90
# yuv420p: 90 rows of luma, then 45 rows' worth of chroma: first all U, then all V.
FRAME_ROWS = FRAME_HEIGHT_PX * 3 // 2
SAMPLES_PER_TICK = int(SAMPLE_RATE_HZ * TICK_S)

# Shorter jumps of the audio clock are jitter (a whole AAC frame lasts 21 ms and more), longer ones are filled or cut.
AUDIO_JUMP_S = 0.008

# Audio that begins later than the first tick by more is preceded by silence; ffmpeg's own 1 ms would be 48 samples.
AUDIO_LATE_S = 0.000005

# A frame counts as showing this much before its time stamp, so that a stamp that was rounded (to 1 ms in Matroska, 11
# µs in MPEG-TS) never decides; the odd figure lies between the ticks of both clocks.
FRAME_GRACE_S = 0.00150556

# fps repeats a picture up to the next one, all at once: damaged time stamps could make millions, so they are held back.
MAX_JUMP_S = 600.0

# A stream whose clock jumps ahead by hours would make ffmpeg hold hours of silence; it fails at this size instead.
MAX_ALLOCATION_BYTES = 256 * 1024 * 1024

# What may come in, and the demuxers that each needs.
CONTAINERS = {"mpegts": "mpegts", "mp4": "mov,mp4,m4a,3gp,3g2,mj2", "nut": "nut", "matroska": "matroska,webm"}


def audio_command(ffmpeg: str, container: str, clock: StreamClock, first_tick_s: float) -> list[str]:
    """Sound from stdin to stdout, as 16-bit mono at 16 kHz.

    The sound is put on an unbroken sample count, cut at the tick while it still has its own sample rate, and only then
    resampled: so the resampler's phase is that of the tick grid, wherever the stream began.
    """
    rate = clock.sample_rate_hz
    # Where the first packet's first sample lies, in samples after the first tick; the 0.001 decides halves alike in
    # every run.
    place = math.floor(clock.first_sample_refined - first_tick_s * rate + 0.501)
    filters = (
        f"aresample=async=1:min_hard_comp={AUDIO_JUMP_S},asetpts=PTS-({clock.first_sample - place})*SR/{rate},"
        f"atrim=start_pts=0,aresample={SAMPLE_RATE_HZ}:async=1:min_comp={AUDIO_LATE_S}:first_pts=0,"
        # One write per tick; ffmpeg would make one per packet, 13 times as many.
        f"asetnsamples={SAMPLES_PER_TICK}:pad=0"
    )
    output = ["-vn", "-af", filters, "-ac", "1", "-c:a", "pcm_s16le", "-f", "s16le", "pipe:1"]
    return [*_input(ffmpeg, container), *output]


def video_command(ffmpeg: str, container: str, frames_per_tick: int, first_tick_s: float) -> list[str]:
    """Pictures from stdin to stdout: those that show at regular instants from the first tick on, small, as yuv420p."""
    shift_us = round((first_tick_s + FRAME_GRACE_S) * 1e6)
    jump_us = round(MAX_JUMP_S * 1e6)
    filters = (
        f"settb=AVTB,setpts='min(PTS-({shift_us}),if(isnan(PREV_OUTPTS),0,PREV_OUTPTS)+{jump_us})',"
        f"fps=fps={round(frames_per_tick / TICK_S)}:round=up:start_time=0,"
        # Area averages every pixel of the source; bilinear would look at 1 of 36 of a 1080p picture.
        f"scale={FRAME_WIDTH_PX}:{FRAME_HEIGHT_PX}:flags=area,format=yuv420p"
    )
    output = ["-an", "-vf", filters, "-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "rawvideo", "pipe:1"]
    return [*_input(ffmpeg, container), *output]


def _input(ffmpeg: str, container: str) -> list[str]:
    return [
        *(ffmpeg, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"),
        *("-max_alloc", str(MAX_ALLOCATION_BYTES), "-filter_threads", "1"),
        *("-protocol_whitelist", "pipe", "-format_whitelist", CONTAINERS[container]),
        # Time stamps as they are: without this ffmpeg closes gaps of 10 s and more. A picture that changes its size
        # goes on through the same filters, where new ones would count from the first tick again; audio that changes
        # its rate ends there, and is unknown for the rest of the run.
        *("-copyts", "-reinit_filter", "0", "-max_error_rate", "1", "-threads", "1"),
        *("-f", container, "-i", "pipe:0", "-sn", "-dn"),
    ]
