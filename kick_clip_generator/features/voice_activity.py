"""Voice activity by Silero VAD: the network ships in the faster-whisper wheel and works offline."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from kick_clip_generator.core.timeline import FloatArray

CHUNK = 512
BEFORE = 64
# The network is made for chunks that follow each other every 512 samples. At 500 they fit a tick of 8000, and its mean
# per tick stays the same (correlation 0.997).
HOP = 500
SAMPLES_PER_TICK = 8_000
CHUNKS_PER_TICK = SAMPLES_PER_TICK // HOP
# The network remembers without end. So that a value does not depend on where a stretch begins, it starts afresh 1.5 s
# before each block of 3.5 s, at absolute times (correlation with one endless run 0.98). Every call has one shape, for
# the bits depend on it.
BLOCK_TICKS = 7
WARM_UP_TICKS = 3
STATE = (1, 1, 128)

MISSING = (
    "Voice activity is unknown, because faster-whisper is not installed; install it with: pip install faster-whisper"
)
OTHER = (
    "Voice activity is unknown, because the installed faster-whisper carries another kind of network; install a newer "
    "one with: pip install --upgrade faster-whisper"
)


class VoiceActivity:
    """Probability of speech; the network is loaded once.

    Attributes:
        unavailable: why there are no values, a sentence; None when there are.
    """

    def __init__(self) -> None:
        network = _network()
        self._session: Any = None
        self.unavailable: str | None = MISSING
        if network is not None and importlib.util.find_spec("onnxruntime") is not None:
            self._session = _loaded(network)
            self.unavailable = None if self._session is not None else OTHER

    def probability(self, samples: FloatArray, *, first_tick: int = 0, skip: int = 0) -> FloatArray:
        """Mean probability of speech in each tick.

        Args:
            samples: in -1..1, 16 kHz, whole ticks.
            first_tick: absolute index of the first of them.
            skip: so many ticks at the beginning are not asked for.

        Returns:
            Shape `(ticks,)`; NaN where skipped, before the first block whose warm-up lies in the stretch, and when
            unavailable.
        """
        ticks = len(samples) // SAMPLES_PER_TICK
        found = np.full(ticks, np.nan, np.float32)
        if self._session is None:
            return found
        # Nothing behind a tick is heard: its last chunk ends with it. Before a stream there is silence.
        before, ahead = WARM_UP_TICKS * SAMPLES_PER_TICK, BLOCK_TICKS * SAMPLES_PER_TICK
        lead = BEFORE + CHUNK - HOP + before
        padded = np.concatenate([np.zeros(lead, np.float32), samples, np.zeros(ahead, np.float32)])
        chunks = np.lib.stride_tricks.sliding_window_view(padded, BEFORE + CHUNK)[::HOP]
        length = (WARM_UP_TICKS + BLOCK_TICKS) * CHUNKS_PER_TICK
        # A chunk reaches back a little, into one tick more.
        known_from = first_tick + WARM_UP_TICKS + 1 if first_tick else 0
        for block in range(-(-known_from // BLOCK_TICKS) * BLOCK_TICKS - first_tick, ticks, BLOCK_TICKS):
            if block + BLOCK_TICKS <= skip:
                continue
            # The warm-up before the block begins where the block does, by so much as was put before the samples.
            inputs = np.ascontiguousarray(chunks[block * CHUNKS_PER_TICK :][:length])
            fresh = np.zeros(STATE, np.float32)
            probability, _, _ = self._session.run(None, {"input": inputs, "h": fresh, "c": fresh})
            means = np.asarray(probability, np.float32).reshape(-1, CHUNKS_PER_TICK).mean(axis=1)[WARM_UP_TICKS:]
            found[block : block + BLOCK_TICKS] = means[: ticks - block]
        found[:skip] = np.nan
        return found


@functools.cache
def _loaded(network: Path) -> Any:
    """The network, which may be asked by several threads; None when it is of another kind."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
    return session if {node.name for node in session.get_inputs()} == {"input", "h", "c"} else None


def _network() -> Path | None:
    """The file of the network; found without importing faster_whisper, which loads ctranslate2 and more."""
    spec = importlib.util.find_spec("faster_whisper")
    folders = spec.submodule_search_locations if spec else None
    files = [path for folder in folders or () for path in sorted(Path(folder, "assets").glob("silero_vad*.onnx"))]
    return files[-1] if files else None
