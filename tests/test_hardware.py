"""Hardware decoders: none is started without a device, a failing one is found out, and software finishes its work."""

from __future__ import annotations

import json
import logging
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media import hardware
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.hardware import ACCELERATORS, FINDINGS, Accelerator, Trial, choose, trials
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.ticks import measure
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.resolve import resolve
from kick_clip_generator.sources.tracks import open_tracks
from tests.streams import make_stream

# An ffmpeg whose accelerators are software in disguise, so that what the devices do can be told to it.
DISGUISE = """#!{python}
import os, subprocess, sys
words = sys.argv[1:]
if "-hwaccels" in words:
    sys.exit(print("cuda"))
accelerated = "-hwaccel" in words
for option in ("-hwaccel", "-hwaccel_output_format"):
    if option in words:
        at = words.index(option)
        del words[at : at + 2]
words = [word.replace("hwdownload,", "") for word in words]
if accelerated:
    {change}
os.execv({ffmpeg!r}, [{ffmpeg!r}, *words])
"""
MIRRORED = 'words = [word.replace("scale=", "hflip,scale=") for word in words]'
BREAKS = """
    child = subprocess.Popen([{ffmpeg!r}, *words], stdout=subprocess.PIPE)
    sys.stdout.buffer.write(child.stdout.read({size}))
    sys.stdout.flush()
    child.kill()
    sys.exit(1)
"""


def disguised(folder: Path, change: str = "pass") -> str:
    if sys.platform == "win32":
        pytest.skip("the stand-in for ffmpeg is a script with a shebang line")
    script = folder / "ffmpeg"
    script.write_text(DISGUISE.format(python=sys.executable, ffmpeg=ffmpeg_path(None), change=change))
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that every accelerator takes for its device."""
    path = tmp_path / "device0"
    path.touch()
    monkeypatch.setattr(hardware, "EVIDENCE", dict.fromkeys(ACCELERATORS, (str(tmp_path / "device*"),)))
    return path


@pytest.fixture
def small_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "LARGE", hardware.SMALL)


def test_without_a_device_nothing_is_started_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "EVIDENCE", dict.fromkeys(ACCELERATORS, (str(tmp_path / "device*"),)))
    assert trials("/no/such/ffmpeg", tmp_path / "kept") == []
    assert choose("auto", trials("/no/such/ffmpeg", tmp_path / "kept")) == ("", "")
    name, note = choose("vaapi", trials("/no/such/ffmpeg", tmp_path / "kept"))
    assert name == "" and "HWACCEL is vaapi" in note and "no such device" in note
    assert not (tmp_path / "kept").exists()


def test_accelerators_that_fail_are_found_out_and_that_is_kept(device: Path, tmp_path: Path) -> None:
    """A real ffmpeg, for which a plain file is certainly no device of these kinds."""
    ffmpeg = str(ffmpeg_path(None))
    working = {trial.name for trial in trials(ffmpeg, None) if not trial.problem}
    if working:
        pytest.skip(f"this machine has {', '.join(working)}")
    kept = tmp_path / "kept"
    found = trials(ffmpeg, kept)
    assert [trial.name for trial in found] == list(ACCELERATORS)
    assert all(trial.problem and math.isnan(trial.cpu_share) and not trial.better for trial in found)
    assert choose("auto", trials(ffmpeg, kept)) == ("", "")
    name, note = choose("cuda", trials(ffmpeg, kept))
    assert name == "" and note.startswith("HWACCEL is cuda, but ") and note.endswith("decoded in software.")

    # What is kept is believed, until the machine, its devices or ffmpeg change.
    findings = json.loads((kept / FINDINGS).read_text())
    findings["trials"] = [
        {"name": "cuda", "problem": "", "cpu_share": 0.5, "wall_share": 0.4},
        {"name": "qsv", "problem": "", "cpu_share": 0.3, "wall_share": 0.9},
        {"name": "vaapi", "problem": "", "cpu_share": 0.1, "wall_share": 1.1},
    ]
    (kept / FINDINGS).write_text(json.dumps(findings))
    assert choose("auto", trials(ffmpeg, kept)) == ("qsv", "")
    assert choose("vaapi", trials(ffmpeg, kept)) == ("vaapi", "")
    assert choose("none", trials(ffmpeg, kept)) == ("", "")
    device.with_name("device1").touch()
    assert choose("auto", trials(ffmpeg, kept)) == ("", "")


@pytest.mark.parametrize("text", ["", "[]", '{"of": 1}', '{"of": 1, "trials": [{"what": 2}]}'])
def test_damaged_findings_are_found_again(device: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / FINDINGS).write_text(text)
    assert choose("auto", trials(str(ffmpeg_path(None)), tmp_path))[0] in ("", *ACCELERATORS)
    assert json.loads((tmp_path / FINDINGS).read_text())["trials"]


@pytest.mark.slow
def test_one_that_is_no_better_is_used_only_when_asked_for(device: Path, small_trials: None, tmp_path: Path) -> None:
    ffmpeg = disguised(tmp_path)
    found = {trial.name: trial for trial in trials(ffmpeg, tmp_path)}
    assert found["cuda"].problem == "" and found["cuda"].cpu_share == pytest.approx(1, abs=0.6)
    assert "built without" in found["vaapi"].problem
    assert choose("cuda", trials(ffmpeg, tmp_path)) == ("cuda", "")


@pytest.mark.slow
def test_other_pictures_are_not_taken(device: Path, small_trials: None, tmp_path: Path) -> None:
    found = trials(disguised(tmp_path, MIRRORED), None)
    assert "not those of the software decoder" in found[0].problem


@pytest.mark.parametrize(("cpu", "wall", "better"), [(0.5, 0.9, True), (0.5, 1.1, False), (0.9, 0.5, False)])
def test_better_means_less_cpu_and_no_more_time(cpu: float, wall: float, better: bool) -> None:
    assert Trial("cuda", "", cpu, wall).better is better
    assert not Trial("cuda", "it failed", cpu, wall).better


@pytest.mark.slow
@pytest.mark.parametrize("breaks_after_ticks", [None, 0, 33])
def test_software_finishes_what_a_device_began(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, breaks_after_ticks: int | None
) -> None:
    source = resolve(str(make_stream(tmp_path / "stream.mp4", duration_s=40, events=[(10, 15)])), Settings())
    change = "pass"
    if breaks_after_ticks is not None:
        size = breaks_after_ticks * hardware.FRAMES_PER_TICK * 160 * 135
        change = BREAKS.format(ffmpeg=str(ffmpeg_path(None)), size=size)
    ffmpeg = disguised(tmp_path, change)
    accelerator = Accelerator("cuda")

    def rows(options: DecodeOptions) -> list[WindowResult]:
        windows = plan_windows(0, source.duration_s, length_s=12, overlap_s=5)
        with open_tracks(source, for_analysis(source, Settings()), Settings(), CancelToken()) as tracks:
            return list(measure(tracks, windows, options=options, cancel=CancelToken()))

    software = rows(DecodeOptions(ffmpeg, 4.0, tmp_path))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        device = rows(DecodeOptions(ffmpeg, 4.0, tmp_path, accelerator=accelerator))
    assert [(r.window, r.status, r.first_tick) for r in device] == [(r.window, "done", r.first_tick) for r in software]
    for before, after in zip(software, device, strict=True):
        np.testing.assert_array_equal(before.rows, after.rows)
    assert not np.isnan(software[-1].rows).all()
    said = [record.getMessage() for record in caplog.records if record.name == hardware.__name__]
    assert accelerator.name == ("cuda" if breaks_after_ticks is None else "")
    assert len(said) == (breaks_after_ticks is not None)
