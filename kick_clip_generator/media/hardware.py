"""Decoders in hardware: which of them work on this machine, and whether they beat ffmpeg's own.

ffmpeg lists accelerators that it was built for, not those that a machine has; drivers lie, some devices are slower than
a processor, and fetching the pictures back costs CPU. So each one is tried: a small clip must come out with the same
pictures, and a stretch of 1080p60 must cost less CPU and no more time than in software. The finding is kept in a file,
and nothing at all is started where the devices are evidently not there.
"""

from __future__ import annotations

import glob
import json
import logging
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.media.commands import REFERENCES_ONLY, video_command
from kick_clip_generator.media.ffmpeg import kill, run_ffmpeg, spawn

log = logging.getLogger(__name__)

# Name of each accelerator: the format in which its pictures lie in the device.
ACCELERATORS: Mapping[str, str] = {
    "cuda": "cuda",
    "qsv": "qsv",
    "vaapi": "vaapi",
    "videotoolbox": "videotoolbox_vld",
}

# What lies on a machine that has the device and its driver. Intel's driver on Windows has no fixed place, and macOS
# always has its own: there only the trial tells.
_SYSTEM_32 = os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32")
_EVIDENCE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "linux": {
        "cuda": ("/dev/nvidia[0-9]*", "/dev/dxg"),
        "qsv": ("/dev/dri/renderD*",),
        "vaapi": ("/dev/dri/renderD*",),
    },
    "win32": {"cuda": (os.path.join(_SYSTEM_32, "nvcuda.dll"),), "qsv": (_SYSTEM_32,)},
    "darwin": {"videotoolbox": ("/",)},
}
EVIDENCE: Mapping[str, tuple[str, ...]] = _EVIDENCE.get(sys.platform, {})

FINDINGS = "hardware_decoding.json"

# A tenth of a second of CPU either way is noise; an accelerator must be worth its risk.
LEAST_GAIN = 0.8

# H.264 decoders agree to the bit; only the conversion of color planes may round in another way.
SAME_PICTURE = 1.0

SMALL = "size=320x180:rate=30:duration=2"
# One GOP of what streaming software sends, repeated without encoding it again.
LARGE = "size=1920x1080:rate=60:duration=2"
LARGE_REPEATS = 4
TRIAL_S = 60.0
FRAMES_PER_TICK = round(4.0 * TICK_S)

_BENCH = re.compile(rb"bench: utime=([\d.]+)s stime=([\d.]+)s rtime=([\d.]+)s")
_CONTEXT = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\] )+")


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying an accelerator gave.

    Attributes:
        name: as ffmpeg calls it.
        problem: why it can not be used, as half a sentence; empty when it gives the right pictures.
        cpu_share: its CPU as a share of software's for the same 1080p60 pictures; NaN when not measured.
        wall_share: likewise its time.
    """

    name: str
    problem: str = ""
    cpu_share: float = math.nan
    wall_share: float = math.nan

    @property
    def better(self) -> bool:
        """Whether it beats software."""
        return not self.problem and self.cpu_share <= LEAST_GAIN and self.wall_share <= 1.0


class Accelerator:
    """The accelerator of one analysis; may be shared by threads. Once given up, all go on in software.

    Args:
        name: of `ACCELERATORS`; empty: software from the start.
    """

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What to decode with from now on; empty: software."""
        return self._name

    def give_up(self, reason: object) -> None:
        """Go on in software; told once."""
        with self._lock:
            if self._name:
                log.warning("Decoding with %s failed, so the rest is decoded in software: %s", self._name, reason)
            self._name = ""


def choose(wanted: str, found: Sequence[Trial]) -> tuple[str, str]:
    """The accelerator to decode large pictures with.

    Args:
        wanted: a name; "auto" for the cheapest that beats software, "none" for software.
        found: see `trials`.

    Returns:
        its name, empty for software, and a sentence when the one that was asked for can not be used.
    """
    if wanted == "none":
        return "", ""
    if wanted == "auto":
        best = min((trial for trial in found if trial.better), key=_cpu_share, default=None)
        return (best.name if best is not None else ""), ""
    problem = {trial.name: trial.problem for trial in found}.get(wanted, "this machine shows no such device")
    if problem:
        return "", f"HWACCEL is {wanted}, but {problem}; the pictures are decoded in software."
    return wanted, ""


def trials(ffmpeg: str, folder: Path | None) -> list[Trial]:
    """Each accelerator whose device seems to be there, tried at most once per machine and ffmpeg.

    Args:
        ffmpeg: the binary.
        folder: where findings are kept; None: they are neither looked for nor kept.
    """
    devices = {name: sorted(path for shape in shapes for path in glob.glob(shape)) for name, shapes in EVIDENCE.items()}
    seeming = [name for name, paths in devices.items() if paths]
    if not seeming:
        return []
    binary = os.stat(ffmpeg)
    of = [platform.node(), platform.platform(), ffmpeg, binary.st_size, binary.st_mtime_ns, devices]
    kept = _load(folder, of)
    if kept is not None:
        return kept
    listed = _run([ffmpeg, "-v", "error", "-hwaccels"], Path(os.devnull))[0].decode("ascii", "replace").split()
    found: list[Trial] = []
    with tempfile.TemporaryDirectory() as scratch:
        bench = _Bench(ffmpeg, Path(scratch))
        for name in seeming:
            unbuilt = "" if name in listed else "this ffmpeg was built without it"
            found.append(Trial(name, unbuilt) if unbuilt else bench.attempt(name))
    _save(folder, of, found)
    return found


class _Bench:
    """Tries accelerators of one ffmpeg against software; clips and software's figures are made when first needed."""

    def __init__(self, ffmpeg: str, scratch: Path) -> None:
        self._ffmpeg = ffmpeg
        self._scratch = scratch
        self._software_s: tuple[float, float] | None = None

    def attempt(self, name: str) -> Trial:
        """Whether an accelerator gives the right pictures, and then what it costs."""
        try:
            small = self._clip("small.ts", SMALL)
            self._insist(name, small)
            # What software leaves out to save time, the smoothing of block edges, hardware can not.
            plain = self._command("")
            for word in REFERENCES_ONLY[2:]:
                plain.remove(word)
            expected, pictures = _decode(plain, small)[0], _decode(self._command(name), small)[0]
            if len(pictures) != len(expected) or np.abs(pictures - expected).mean() > SAME_PICTURE:
                return Trial(name, "its pictures are not those of the software decoder")
            large = self._clip("large.ts", LARGE, LARGE_REPEATS)
            if self._software_s is None:
                self._software_s = _decode(self._command(""), large)[1:]
            _, cpu_s, wall_s = _decode(self._command(name), large)
        except MediaError as error:
            return Trial(name, f"it failed a trial ({str(error).rstrip('.')})")
        except subprocess.TimeoutExpired:
            return Trial(name, f"it hung for {TRIAL_S:g} s in a trial")
        return Trial(name, "", cpu_s / max(self._software_s[0], 1e-3), wall_s / max(self._software_s[1], 1e-3))

    def _command(self, name: str) -> list[str]:
        return video_command(self._ffmpeg, "mpegts", FRAMES_PER_TICK, 0.0, "references", name)

    def _insist(self, name: str, media: Path) -> None:
        """Where an accelerator does not take a codec, ffmpeg decodes in software without a word; here it must fail."""
        device = ["-xerror", "-hwaccel", name, "-hwaccel_output_format", ACCELERATORS[name]]
        pictures = ["-f", "mpegts", "-i", "pipe:0", "-vf", "hwdownload,format=nv12", "-f", "null", "-"]
        _, said, code = _run([self._ffmpeg, "-v", "error", "-nostdin", *device, *pictures], media)
        if code:
            # The first thing that went wrong; what follows from it comes later.
            lines = [_CONTEXT.sub("", line).strip() for line in said.decode("utf-8", "replace").splitlines()]
            raise MediaError(next((line for line in lines if line), "ffmpeg gave no reason"))

    def _clip(self, name: str, shape: str, repeats: int = 0) -> Path:
        whole = self._scratch / name
        if not whole.exists():
            once = self._scratch / f"once_{name}"
            coded = ["-c:v", "libx264", "-preset", "superfast", "-bf", "2", "-b:v", "6M", "-pix_fmt", "yuv420p"]
            run_ffmpeg(self._ffmpeg, ["-f", "lavfi", "-i", f"testsrc2={shape}", *coded, str(once)])
            run_ffmpeg(self._ffmpeg, ["-stream_loop", str(repeats), "-i", str(once), "-c", "copy", str(whole)])
        return whole


def _decode(command: Sequence[str], media: Path) -> tuple[np.ndarray[tuple[int], np.dtype[np.int16]], float, float]:
    """Pictures, CPU seconds and seconds of a command."""
    # ffmpeg tells the cost of the process itself on every system, among its less urgent words.
    words = [command[0], "-benchmark", *command[1:]]
    words[words.index("-loglevel") + 1] = "info"
    out, said, code = _run(words, media)
    found = _BENCH.search(said)
    if code or found is None:
        raise MediaError("decoding ended with an error")
    user_s, system_s, wall_s = map(float, found.groups())
    return np.frombuffer(out, np.uint8).astype(np.int16), user_s + system_s, wall_s


def _run(command: Sequence[str], media: Path) -> tuple[bytes, bytes, int]:
    """What a command writes, says and returns when it is fed a file."""
    with media.open("rb") as source:
        process = spawn(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            return *process.communicate(timeout=TRIAL_S), process.returncode
        finally:
            kill(process)


def _cpu_share(trial: Trial) -> float:
    return trial.cpu_share


def _load(folder: Path | None, of: object) -> list[Trial] | None:
    if folder is None:
        return None
    try:
        kept = json.loads((folder / FINDINGS).read_text(encoding="utf-8"))
        return [Trial(**trial) for trial in kept["trials"]] if kept["of"] == of else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.info("What was found about hardware decoding cannot be read and is tried again: %s", error)
        return None


def _save(folder: Path | None, of: object, found: Sequence[Trial]) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"of": of, "trials": [asdict(trial) for trial in found]}, indent=2)
        (folder / FINDINGS).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        log.info("What was found about hardware decoding cannot be kept: %s", error)
