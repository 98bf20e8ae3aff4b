"""From where on a clip's packets can be copied: at an IDR picture, where a decoder forgets all that came before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from kick_clip_generator.media.h264 import IDR, PPS, SPS, Framing, SequenceSet, kind_of, picture_set_number, sets_in
from kick_clip_generator.media.probe import open_media, packets_of
from kick_clip_generator.media.survey import EDGE_S, INTERLEAVING_S, Survey

# A sound of this length per packet ends within half of it, 13 ms, of where it should.
LONGEST_SOUND_PACKET_S = 0.026
# Packets of an unbroken sound lie this close to their sample count; MPEG-TS and Matroska round, and where recordings
# were joined there is up to half a packet.
SOUND_JITTER_S = 0.012
# So much may be missing at its ends and is not filled.
SOUND_MISSING_S = 0.015

# More than pictures are shown out of order.
REORDERING_S = 1.0

# x264 writes no greater id.
MOST_SETS = 32

PLAIN_FORMATS = frozenset({"yuv420p", "yuvj420p"})
PROFILES = {66: "baseline", 77: "main", 100: "high"}


class CannotJoin(Exception):
    """Why a clip can't be joined of new and old packets: the words after "because"."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One coded picture: when and how long it is shown, in ticks of its stream, and whether it is an IDR."""

    shown: int
    length: int
    idr: bool


@dataclass(frozen=True, slots=True)
class Seam:
    """How a clip is put together.

    Attributes:
        tick_s: of the source's video stream.
        seam: when the first copied picture is shown, in ticks.
        copied: those that are copied, in the order of decoding; the last ones may be shown after the end, as others
            refer to them.
        encoded: how many pictures lie before them.
        reordering: how many pictures one may be decoded ahead of its turn.
        framing, sets: of the copied packets.
        free_number: an id that none of `sets` has.
        profile: x264's word for that of the copied packets.
        level: of the copied packets, 42 is 4.2.
        sound: the begins of the sound packets that are copied, in ticks of their stream; empty: the sound is encoded.
        sound_begin_s: where the first of these begins, so that all are as close as can be to where they were; on the
            clock of the container.
    """

    tick_s: float
    seam: int
    copied: Sequence[Picture]
    encoded: int
    reordering: int
    framing: Framing
    sets: Sequence[bytes]
    free_number: int
    profile: str
    level: int
    sound: Sequence[int] = field(default=())
    sound_begin_s: float = math.nan

    def last_ticks(self, tick_hz: int) -> int:
        """How long the last picture is shown, in other ticks."""
        return max(1, round(self.copied[-1].length * self.tick_s * tick_hz))


def find_seam(source: Path, found: Survey) -> Seam:
    """Read the packets of a clip (decoding one picture) for what can be copied.

    Raises:
        CannotJoin: there is nothing, or the join would not be sound.
        MediaError: the source can't be read.
    """
    if found.video_codec != "h264":
        raise CannotJoin(f"its video is {found.video_codec.upper()}, and only H.264 is joined")
    if found.hdr:
        raise CannotJoin("its colors are HDR")
    with open_media(source) as container:
        video, audio = container.streams[found.video], container.streams[found.audio] if found.audio_codec else None
        assert isinstance(video, VideoStream)
        if not math.isnan(found.seek_s):
            container.seek(round(found.seek_s * av.time_base), backward=True)
        reading = _Reading(video, found)
        sound: list[tuple[int, int]] = []
        for packet in _until(container, video, audio, found.end_s):
            if packet.stream_index == found.video:
                reading.add(packet)
            elif packet.pts is not None:
                sound.append((packet.pts, packet.duration or 0))
        seam = reading.seam()
        return seam if not isinstance(audio, AudioStream) else _with_sound(seam, audio, sound, found)


def _until(container: InputContainer, video: Stream, audio: Stream | None, end_s: float) -> Iterator[Packet[Any]]:
    """The packets that are shown before `end_s`, and some more."""
    streams = [video] if audio is None else [video, audio]
    going = {stream.index for stream in streams}
    for packet in packets_of(container, streams):
        stamp = packet.dts if packet.dts is not None else packet.pts
        assert stamp is not None
        decoded_s = float(stamp * packet.time_base)
        # Matroska may tell only when a packet is shown; those that are shown before may still follow.
        if decoded_s >= end_s + REORDERING_S:
            going.discard(packet.stream_index)
            if not going or decoded_s >= end_s + INTERLEAVING_S:
                return
        else:
            yield packet


class _Reading:
    """Takes the video packets around a clip and finds where copying can begin."""

    def __init__(self, video: VideoStream, found: Survey) -> None:
        assert video.time_base is not None
        self._stream = video
        self._tick_s = float(video.time_base)
        self._start_s, self._end_s = found.shown_s, found.end_s
        extradata = video.codec_context.extradata
        self._framing = Framing.of(extradata)
        # Parameter sets that stand in the packets may have changed since the stream was opened.
        self._known = {(kind_of(nal), _number(nal)): nal for nal in sets_in(extradata)} if extradata else {}
        self._sets: dict[tuple[int, int], bytes] = {}
        self._pictures: list[Picture] = []
        self._first = -1
        self._doubtful = 0

    def add(self, packet: Packet[Any]) -> None:
        if packet.pts is None:
            raise CannotJoin("its pictures have no times")
        shown_s = packet.pts * self._tick_s
        if shown_s < self._start_s - EDGE_S / 2 and self._first < 0 and not self._pictures:
            # Before the clip. Sets may come in a packet of their own, or long before.
            self._note_sets(self._nals(packet))
            return
        nals = self._nals(packet)
        idr = any(kind_of(nal) == IDR for nal in nals)
        # The pieces of a stream may each count their packets anew, which looks like a loss where the next one begins;
        # libavformat's parser puts that down to one of the last two pictures before.
        self._doubtful = 0 if idr else self._doubtful + 1 if self._doubtful else int(packet.is_corrupt)
        if self._doubtful > 2:
            raise CannotJoin("packets are missing in the source")
        if packet.has_sidedata("new_extradata") and self._pictures:
            raise CannotJoin("its coding changes in between")
        if self._first < 0:
            self._note_sets(nals)
            if idr and shown_s >= self._start_s - EDGE_S / 2:
                self._first = len(self._pictures)
                self._sets = dict(self._known)
                self._look_at(packet)
        else:
            before = dict(self._known)
            self._note_sets(nals)
            if before != self._known:
                raise CannotJoin("its coding changes in between")
        self._pictures.append(Picture(packet.pts, packet.duration or 0, idr))

    def seam(self) -> Seam:
        begin = self._ticks(self._start_s - EDGE_S / 2)
        end = self._ticks(self._end_s - EDGE_S)
        if self._first < 0:
            raise CannotJoin("no keyframe in it can be decoded by itself")
        before, copied = self._pictures[: self._first], self._pictures[self._first :]
        seam = copied[0].shown
        # What is decoded before an IDR is shown before it, and what comes after, after it.
        if any(p.shown >= seam for p in before) or any(p.shown < seam for p in copied):
            raise CannotJoin("its pictures' times contradict their order")
        shown = [index for index, picture in enumerate(copied) if picture.shown < end]
        if not shown:
            raise CannotJoin("no keyframe in it can be decoded by itself")
        copied = copied[: shown[-1] + 1]
        times = [picture.shown for picture in copied]
        if len(set(times)) < len(times):
            raise CannotJoin("its pictures' times contradict their order")
        sequence = [SequenceSet.read(nal) for (kind, _), nal in self._sets.items() if kind == SPS]
        if not sequence or not any(kind == PPS for kind, _ in self._sets):
            raise CannotJoin("it does not tell how it is coded")
        if not all(one.plain and one.profile in PROFILES for one in sequence):
            raise CannotJoin("its pictures are not 4:2:0 in 8 bits")
        if not all(one.progressive for one in sequence):
            raise CannotJoin("it is interlaced")
        taken = {number for _, number in self._sets}
        free = next((number for number in range(MOST_SETS) if number not in taken), None)
        if free is None:
            raise CannotJoin("it holds too many parameter sets")
        return Seam(
            tick_s=self._tick_s,
            seam=seam,
            copied=copied,
            encoded=sum(picture.shown >= begin for picture in before),
            reordering=_reordering(times),
            framing=self._framing,
            sets=list(self._sets.values()),
            free_number=free,
            profile=PROFILES[max(one.profile for one in sequence)],
            level=max(one.level for one in sequence),
        )

    def _ticks(self, time_s: float) -> float:
        return time_s / self._tick_s

    def _nals(self, packet: Packet[Any]) -> list[bytes]:
        try:
            return self._framing.split(bytes(packet))
        except ValueError as error:
            raise CannotJoin("its packets are damaged") from error

    def _note_sets(self, nals: Sequence[bytes]) -> None:
        for nal in nals:
            if kind_of(nal) in (SPS, PPS):
                self._known[kind_of(nal), _number(nal)] = nal

    def _look_at(self, packet: Packet[Any]) -> None:
        """Decode the seam's picture for what only pictures tell."""
        decoder = self._stream.codec_context
        decoder.thread_count = 1
        frames = [*decoder.decode(packet), *decoder.decode(None)]
        if len(frames) != 1 or frames[0].is_corrupt:
            raise CannotJoin("its first keyframe can't be decoded")
        if frames[0].rotation:
            raise CannotJoin("it is turned for showing")
        if frames[0].format.name not in PLAIN_FORMATS:
            raise CannotJoin("its pictures are not 4:2:0 in 8 bits")


def _number(nal: bytes) -> int:
    try:
        return SequenceSet.read(nal).number if kind_of(nal) == SPS else picture_set_number(nal)
    except (ValueError, IndexError) as error:
        raise CannotJoin("its parameter sets are damaged") from error


def _reordering(times: Sequence[int]) -> int:
    """The most pictures that are decoded before one and shown after it."""
    ranks = {time: rank for rank, time in enumerate(sorted(times))}
    return max((index - ranks[time] for index, time in enumerate(times)), default=0)


def _with_sound(seam: Seam, audio: AudioStream, packets: Sequence[tuple[int, int]], found: Survey) -> Seam:
    """The seam with those packets of the sound that can be copied, if they can."""
    assert audio.time_base is not None
    context = audio.codec_context
    length_s = context.frame_size / audio.sample_rate if audio.sample_rate else math.inf
    if found.audio_codec != "aac" or context.profile != "LC" or context.layout.nb_channels > 2:
        return seam
    if not 0 < length_s <= LONGEST_SOUND_PACKET_S:
        return seam
    tick_s = float(audio.time_base)
    begins = [begin for begin, _ in packets]
    inside = [index for index, begin in enumerate(begins) if begin * tick_s > found.start_s - length_s]
    # A packet's sound fades in over the one before, which is decoded and not heard.
    first = max(0, inside[0] - 1) if inside else 0
    chosen = [begin for begin in begins[first:] if (begin * tick_s + length_s / 2) < found.end_s]
    if not chosen or chosen[0] * tick_s > found.start_s + SOUND_MISSING_S:
        return seam
    if chosen[-1] * tick_s + length_s < found.end_s - SOUND_MISSING_S:
        return seam
    begins_s = [begin * tick_s - index * length_s for index, begin in enumerate(chosen)]
    if max(begins_s) - min(begins_s) > 2 * SOUND_JITTER_S:
        return seam
    return replace(seam, sound=chosen, sound_begin_s=(max(begins_s) + min(begins_s)) / 2)
