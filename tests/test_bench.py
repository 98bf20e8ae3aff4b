"""The benchmarks' own arithmetic: verdicts, children's CPU, tables of peers that are not there."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import cut, memory, peers
from bench.machine import Figure, cpu_of, living_children, print_figures
from kick_clip_generator.media.ffmpeg import ffmpeg_path

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\n"


def test_a_figure_is_met_up_to_its_target_and_an_unknown_one_is_missed():
    assert Figure("at the target", 1.5, 1.5).met
    assert not Figure("above", 1.51, 1.5).met
    assert not Figure("unknown", math.nan, 1.5).met
    assert Figure("without a target", math.nan).met
    assert Figure("without a target", math.nan).to_dict().keys() == {"name", "value", "unit"}
    assert Figure("above", 1.51, 1.5).to_dict()["met"] is False


def test_small_ratios_are_printed_as_parts():
    out = io.StringIO()
    print_figures(out, [Figure("peer", 1 / 56, 1 / 100, "x"), Figure("bare", 1.2, 1.5, "x"), Figure("cost", 58.0)])
    rows = out.getvalue().splitlines()[1:]
    assert [row.split() for row in rows] == [
        ["peer", "1/56.0", "1/100.0", "MISSED"],
        ["bare", "1.20", "x", "1.50", "x", "met"],
        ["cost", "58.00"],
    ]


def test_children_are_counted_while_they_run_and_after_their_end():
    if math.isnan(living_children()[0]):
        pytest.skip("this system does not list the children of a process in /proc")
    command = [sys.executable, "-c", f"{BUSY}input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        used_s, resident_mib = living_children()
        child.communicate("\n")
    assert 0.25 <= used_s < 2
    assert 3 < resident_mib < 500
    assert cpu_of([sys.executable, "-c", BUSY], stdout=subprocess.DEVNULL) >= 0.3


def test_ratios_are_taken_within_a_round_and_absent_peers_are_left_out():
    # The machine was three times slower in the second round.
    rounds = [
        {side: value * slow for side, value in {"bare": 40.0, "ours": 60.0, "ours_lean": 50.0}.items()}
        | {"large_bare": 1400.0 * slow, "large": 70.0 * slow, "large_lean": 60.0 * slow}
        for slow in (1, 3)
    ]
    found = {figure.name: figure for figure in peers.summary(rounds)}
    assert found["160p: analysis / bare decode"].value == pytest.approx(1.5)
    assert found["1080p60 only: analysis / bare decode"].value == pytest.approx(1 / 20)
    assert not [name for name in found if "PySceneDetect" in name or "librosa" in name]


def test_a_cut_is_compared_with_plain_ffmpeg_and_its_check_is_told_apart(tmp_path: Path):
    ffmpeg, source = str(ffmpeg_path(None)), tmp_path / "source.mp4"
    made = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30", "-f", "lavfi", "-i", "sine", "-t", "6", "-g", "60"]
    subprocess.run([ffmpeg, "-v", "error", "-nostdin", *made, "-c:v", "libx264", str(source)], check=True)
    runs = cut.measured(ffmpeg, source, tmp_path, 3.0, repeats=2, start_s=1.3)
    assert len(runs) == 11 and {len(values) for values in runs.values()} == {2}
    assert min(runs["exact"] + runs["plain exact"]) > 0
    found = {
        figure.name: figure.value
        for figure in cut.summary({**runs, "exact": [4, 9], "smart": [1, 3], "plain exact": [2, 3]})
    }
    assert found["smart: cut / exact cut"] == pytest.approx((1 / 4 + 3 / 9) / 2)
    assert found["exact: cut / plain ffmpeg"] == 2.5
    assert found["exact: our check of the clip"] == pytest.approx(sum(runs["check exact"]) / 2)


def test_memory_is_told_every_ten_minutes_above_the_imports():
    long = {
        "imported_mib": 100.0,
        "peak_mib": 160.0,
        "decoders_mib": 70.0,
        "first_window_cpu_s": 2.5,
        "memory": [(stream_s, 100 + stream_s / 60, 160.0) for stream_s in range(30, 1501, 30)],
    }
    start = {"first_window_cpu_s": 1.4, "imported_cpu_s": 1.0}
    found = {figure.name: figure for figure in memory.summary(long, [start])}
    assert found["resident above the imports, minute 10"].value == pytest.approx(10 * 2**20 / 1e6)
    assert found["resident above the imports, minute 20"].value == pytest.approx(20 * 2**20 / 1e6)
    assert "resident above the imports, minute 30" not in found
    # 60 MiB are more than 60 MB.
    assert not found["resident above the imports, at most"].met
    assert found["CPU from the start to the first window"].met


def test_the_peer_reads_every_frame_and_looks_at_every_tenth(tmp_path: Path):
    pytest.importorskip("librosa", reason="librosa comes with the bench extra")
    from bench.chunk_pipeline import picture_of

    video = tmp_path / "chunk.mp4"
    made = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30", "-t", "1", "-c:v", "libx264", str(video)]
    subprocess.run([str(ffmpeg_path(None)), "-v", "error", "-nostdin", *made], check=True)
    rows = picture_of(video)
    assert rows.shape == (3, 3)
    assert np.isnan(rows[0, 0])
    assert (rows[1:] > 0).all()
