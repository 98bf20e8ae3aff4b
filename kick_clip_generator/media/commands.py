"""The ffmpeg command lines that put a stream's sound and pictures on the tick grid, to the sample and to the frame.

Both take the instant of the first tick in the stream's own time stamps, and make it time 0 of their output.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

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

# How much of the picture the decoder decodes. Shares of the CPU of a full decode are for 1080p60 (x264, two B-frames, a
# keyframe every 2 s, 6 Mbit/s); docs/decisions/0010 tells what each does to the highlights.
# "all": every picture.
# "references" (0.6): not those that no other needs (most B-frames), nor the smoothing of block edges, which can not be
#   seen at 160 x 90. At a sampled instant the reference before it is shown, mostly 0-2 source frames older.
# "glimpses" (0.25): of those only the ones right behind each keyframe, enough for one difference of pictures.
Pictures = Literal["all", "references", "glimpses"]
PICTURES: tuple[Pictures, ...] = get_args(Pictures)
REFERENCES_ONLY = ("-skip_frame", "noref", "-skip_loop_filter", "all")

# Added to the length of a glimpse: a picture counts up to one frame after its instant (40 ms at 25 frames a second).
GLIMPSE_GRACE_S = 0.05

# What the features of motion look at (`features.video.DIFFERENCE_S`).
GLIMPSE_DIFFERENCE_S = 0.25

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


def video_command(
    ffmpeg: str, container: str, frames_per_tick: int, first_tick_s: float, pictures: Pictures = "all"
) -> list[str]:
    """Pictures from stdin to stdout: those that show at regular instants from the first tick on, small, as yuv420p.

    At each instant that is the last picture before it among those that are decoded.
    """
    shift_us = round((first_tick_s + FRAME_GRACE_S) * 1e6)
    jump_us = round(MAX_JUMP_S * 1e6)
    filters = (
        f"settb=AVTB,setpts='min(PTS-({shift_us}),if(isnan(PREV_OUTPTS),0,PREV_OUTPTS)+{jump_us})',"
        f"fps=fps={round(frames_per_tick / TICK_S)}:round=up:start_time=0,"
        # Area averages every pixel of the source; bilinear would look at 1 of 36 of a 1080p picture.
        f"scale={FRAME_WIDTH_PX}:{FRAME_HEIGHT_PX}:flags=area,format=yuv420p"
    )
    output = ["-an", "-vf", filters, "-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "rawvideo", "pipe:1"]
    return [*_input(ffmpeg, container, _sparing(pictures, frames_per_tick)), *output]


def glimpse_s(frames_per_tick: int) -> float:
    """How long a glimpse must be: two sampled instants lie in it that are a quarter of a second (or one step) apart."""
    step_s = TICK_S / frames_per_tick
    return (max(1, round(GLIMPSE_DIFFERENCE_S / step_s)) + 1) * step_s + GLIMPSE_GRACE_S


def _sparing(pictures: Pictures, frames_per_tick: int) -> tuple[str, ...]:
    """Options of the input that leave out pictures."""
    if pictures == "all":
        return ()
    if pictures == "references":
        return REFERENCES_ONLY
    # In order of decoding, so that all that a picture refers to is there. The first time stamps of that order are not
    # known in NUT and Matroska; the order of showing does for them. Old versions of ffmpeg (5) have no
    # filters of the input.
    stamp = "if(eq(dts,nopts),pts,dts)"
    late = f"gt(({stamp}-ld(0))*tb,{glimpse_s(frames_per_tick)})"
    return (*REFERENCES_ONLY, "-bsf:v", f"noise=drop='if(key,st(0,{stamp})*0,{late})'")


def _input(ffmpeg: str, container: str, decoder_options: tuple[str, ...] = ()) -> list[str]:
    return [
        *(ffmpeg, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"),
        *("-max_alloc", str(MAX_ALLOCATION_BYTES), "-filter_threads", "1"),
        *("-protocol_whitelist", "pipe", "-format_whitelist", CONTAINERS[container]),
        # Time stamps as they are: without this ffmpeg closes gaps of 10 s and more. A picture that changes its size
        # goes on through the same filters, where new ones would count from the first tick again; audio that changes
        # its rate ends there, and is unknown for the rest of the run.
        *("-copyts", "-reinit_filter", "0", "-max_error_rate", "1", "-threads", "1"),
        *decoder_options,
        *("-f", container, "-i", "pipe:0", "-sn", "-dn"),
    ]
