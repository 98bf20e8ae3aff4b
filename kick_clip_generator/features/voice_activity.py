"""Voice activity by Silero VAD: the network ships in the faster-whisper wheel and works offline."""

from __future__ import annotations

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
CHUNKS_AT_A_TIME = 960
STATE = (1, 1, 128)

MISSING = (
    "Voice activity is unknown, because faster-whisper is not installed; install it with: pip install faster-whisper"
)
OTHER = (
    "Voice activity is unknown, because the installed faster-whisper carries another kind of network; install a newer "
    "one with: pip install --upgrade faster-whisper"
)


class VoiceActivity:
    """Probability of speech; loads the network when it is first asked.

    Attributes:
        unavailable: why there are no values, a sentence; None when there are.
    """

    def __init__(self) -> None:
        self._session: Any = None
        self.unavailable: str | None = None
        network = _network()
        if network is None or importlib.util.find_spec("onnxruntime") is None:
            self.unavailable = MISSING
            return
        onnxruntime: Any = importlib.import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
        if {node.name for node in session.get_inputs()} != {"input", "h", "c"}:
            self.unavailable = OTHER
            return
        self._session = session

    def probability(self, samples: FloatArray) -> FloatArray:
        """Probability of speech in each chunk of a stretch that starts with a fresh state.

        Args:
            samples: in -1..1, 16 kHz, whole ticks.

        Returns:
            Shape `(len(samples) // 500,)`, one value per 500 samples; NaN when unavailable.
        """
        chunks = len(samples) // HOP
        if self._session is None or chunks == 0:
            return np.full(chunks, np.nan, np.float32)
        # The last chunk looks 12 samples past the end.
        padded = np.concatenate([np.zeros(BEFORE, np.float32), samples, np.zeros(CHUNK - HOP, np.float32)])
        inputs = np.lib.stride_tricks.sliding_window_view(padded, BEFORE + CHUNK)[::HOP]
        h = c = np.zeros(STATE, np.float32)
        found = []
        for start in range(0, chunks, CHUNKS_AT_A_TIME):
            feed = {"input": np.ascontiguousarray(inputs[start : start + CHUNKS_AT_A_TIME]), "h": h, "c": c}
            probability, h, c = self._session.run(None, feed)
            found.append(np.asarray(probability, np.float32).reshape(-1))
        return np.concatenate(found)


def _network() -> Path | None:
    """The file of the network; found without importing faster_whisper, which loads ctranslate2 and more."""
    spec = importlib.util.find_spec("faster_whisper")
    folders = spec.submodule_search_locations if spec else None
    files = [path for folder in folders or () for path in sorted(Path(folder, "assets").glob("silero_vad*.onnx"))]
    return files[-1] if files else None
