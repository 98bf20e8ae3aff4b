"""The sound of a compound: that of its parts one after the other, or fading into each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def join_sound(sounds: Iterable[Samples], heard: Sequence[tuple[int, int]], file: BinaryIO) -> None:
    """Write the sounds to a file as raw samples, each where it should be; only two are in memory at a time.

    Where two overlap, one goes down by a quarter cosine while the other goes up by a quarter sine: two sounds that have
    nothing to do with each other stay as loud as they are.

    Args:
        sounds: shape `(samples, channels)`, as long as they are heard.
        heard: from which sample to which, rising, the first from 0; a sound overlaps at most with its neighbors.
    """
    tail: Samples | None = None
    ends = [begin for begin, _ in heard[1:]] + [heard[-1][1]]
    for sound, (begin, _), next_begin in zip(sounds, heard, ends, strict=True):
        head = 0
        if tail is not None and len(tail):
            head = len(tail)
            phase = (np.arange(head)[:, None] + 0.5) / head * (np.pi / 2)
            mixed = tail * np.cos(phase) + sound[:head] * np.sin(phase)
            file.write(np.clip(np.rint(mixed), -32768, 32767).astype("<i2").tobytes())
        file.write(sound[head : next_begin - begin].astype("<i2").tobytes())
        tail = sound[next_begin - begin :]
