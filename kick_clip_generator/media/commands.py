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
# "glimpses" (0.05): of those only a keyframe and the one to six right behind it, for one difference of pictures. The
#   keyframe shows at one sampled instant, the last of the others from the next one on.
Pictures = Literal["all", "references", "glimpses"]
PICTURES: tuple[Pictures, ...] = get_args(Pictures)
REFERENCES_ONLY = ("-skip_frame", "noref", "-skip_loop_filter", "all")

# A glimpse is decoded for this long, in order of decoding. Its last reference then shows 80-130 ms after the keyframe
# for 0 to 3 B-frames and 24 to 60 frames a second. Longer ones cost more and tell no more (docs/decisions/0010).
GLIMPSE_S = 0.11
# No glimpse begins sooner after another, nor sooner than three sampled instants, so that a repeat lies between any two.
# Of keyframes nearer than that (a second apart is usual) it depends on where a run begins which ones are looked at.
GLIMPSE_APART_S = 0.9
# Pictures of one glimpse show within this, reordering included.
GLIMPSE_SHOWN_S = 0.6

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
    ffmpeg: str,
    container: str,
    frames_per_tick: int,
    first_tick_s: float,
    pictures: Pictures = "all",
    accelerator: str = "",
) -> list[str]:
    """Pictures from stdin to stdout: those that show at regular instants from the first tick on, small, as yuv420p.

    At each instant that is the last picture before it among those that are decoded; but of a glimpse the keyframe shows
    at the first instant from its own on, and its last picture from the instant after on. With an accelerator (see
    `hardware`) the process ends with an error at the first picture that can not be had.
    """
    shift_us = round((first_tick_s + FRAME_GRACE_S) * 1e6)
    jump_us = round(MAX_JUMP_S * 1e6)
    place = f"setpts='min(PTS-({shift_us}),if(isnan(PREV_OUTPTS),0,PREV_OUTPTS)+{jump_us})'"
    regular = f"fps=fps={round(frames_per_tick / TICK_S)}:round=up:start_time=0"
    # Area averages every pixel of the source; bilinear would look at 1 of 36 of a 1080p picture.
    small = f"scale={FRAME_WIDTH_PX}:{FRAME_HEIGHT_PX}:flags=area,format=yuv420p"
    if pictures == "glimpses":
        step_us = round(TICK_S / frames_per_tick * 1e6)
        new = f"not(ld(1))+gt(abs(PTS-ld(0)),{round(GLIMPSE_SHOWN_S * 1e6)})"
        spread = f"setpts='if({new},st(1,1)*st(0,PTS),ld(0)+{step_us})'"
        # Scaled first: there are fewer pictures than instants, where else there are more.
        filters = f"settb=AVTB,{spread},{place},{small},{regular}"
    else:
        filters = f"settb=AVTB,{place},{regular},{small}"
    output = ["-an", "-vf", filters, "-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "rawvideo", "pipe:1"]
    decoder_options = (*_sparing(pictures, frames_per_tick), *_in_hardware(accelerator))
    return [*_input(ffmpeg, container, decoder_options), *output]


def _sparing(pictures: Pictures, frames_per_tick: int) -> tuple[str, ...]:
    """Options of the input that leave out pictures."""
    if pictures == "all":
        return ()
    if pictures == "references":
        return REFERENCES_ONLY
    # In order of decoding, so that all that a picture refers to is there. The first time stamps of that order are not
    # known in NUT and Matroska: the order of showing does for them, and the first glimpse may be its keyframe alone.
    # What shows before its keyframe refers to the glimpse before; where such pictures come first (open GOPs), the next
    # one is looked at however late it is. Old versions of ffmpeg (5) have no filters of the input.
    stamp = "if(eq(dts,nopts),pts,dts)"
    since_s = f"({stamp}-ld(0))*tb"
    apart_s = max(GLIMPSE_APART_S, 3 * TICK_S / frames_per_tick)
    begins = f"key*gt(not(ld(1))+gte(abs({since_s}),{apart_s}),0)"
    early = "not(eq(pts,nopts))*lt(pts,ld(2))"
    late = f"ld(3)*gt({since_s},{GLIMPSE_S})+0*st(3,1)"
    begin = f"st(0,{stamp})*st(1,1)*st(2,pts)*st(3,0)*0"
    return (*REFERENCES_ONLY, "-bsf:v", f"noise=drop='if({begins},{begin},if({early},1,{late}))'")


def _in_hardware(accelerator: str) -> tuple[str, ...]:
    """Options of the input that decode in a device; pictures come back into memory."""
    if not accelerator:
        return ()
    # For old command lines ffmpeg leaves the pictures of this one in the device.
    fetched = ("-hwaccel_output_format", "nv12") if accelerator == "qsv" else ()
    # Without -xerror a device that fails midway would go unnoticed: the last good picture would be repeated.
    return ("-xerror", "-hwaccel", accelerator, *fetched)


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
