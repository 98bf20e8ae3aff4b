"""`main.py analyze`: the files it leaves, both modes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kick_clip_generator.cli.main import main
from tests.streams import make_stream

EVENT = (22.0, 30.0)
CLIP_KEYS = ["start", "end", "event_start", "event_end", "peak", "score", "kind", "reasons"]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stream(tmp_path_factory.mktemp("analyze") / "stream.mp4", duration_s=50, events=[EVENT])


def read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{path.name} holds {word}"))


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def files_of(mode: str) -> set[str]:
    return {
        f"{mode}_clips.json",
        f"features/features_{mode}.json",
        f"debug/segmentation_{mode}_debug.json",
        f"timeline_{mode}.html",
    }


def complaint(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    """Run a command that must be refused before any work; returns its one sentence."""
    assert main([str(argument) for argument in argv]) == 2
    printed = capsys.readouterr()
    (said,) = printed.err.strip().splitlines()
    assert said.startswith("error: ") and not Path("clips.db").exists()
    return said


def test_both_modes_from_one_measurement(
    stream: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["analyze", str(stream), "-o", "out", "--compare", "--json", "found.json"]) == 0
    out = Path("out")
    # What was measured does not depend on the mode.
    assert files_in(out) == (files_of("v2") | files_of("v1") | {"compare.html"}) - {"features/features_v1.json"}
    for mode in ("v2", "v1"):
        clips = read(out / f"{mode}_clips.json")
        assert clips and all(list(clip) == CLIP_KEYS for clip in clips)
        assert [clip["score"] for clip in clips] == sorted((clip["score"] for clip in clips), reverse=True)
        assert clips[0]["start"] <= EVENT[0] + 3 and clips[0]["end"] >= EVENT[1] - 3
        debug = read(out / "debug" / f"segmentation_{mode}_debug.json")
        assert debug["mode"] == debug["config"]["mode"] == mode
        assert [{key: clip[key] for key in CLIP_KEYS} for clip in debug["final_clips"]] == clips
        assert {entry["action"] for entry in debug["filter_report"]["overlap"]} <= {"keep", "drop_overlap"}
        assert "<bdi>stream</bdi>" in (out / f"timeline_{mode}.html").read_text(encoding="utf-8")
    features = read(out / "features" / "features_v2.json")
    assert features["ticks"] == len(features["values"]["rms_db"]) == len(features["normalized"]["motion"]) == 100
    assert read(Path("found.json"))["highlights"] == read(out / "v2_clips.json")

    # The mode of the settings is that of the flag; an older answer of the other mode stays beside the new one.
    monkeypatch.setenv("HIGHLIGHT_MODE", "v1")
    assert main(["analyze", "--url", str(stream), "--output-dir", "again", "-q"]) == 0
    assert files_in(Path("again")) == files_of("v1")
    for name in ("v1_clips.json", "debug/segmentation_v1_debug.json"):
        assert read(Path("again") / name) == read(out / name)
    assert main(["analyze", str(stream), "--mode", "v2", "-o", "again", "-q"]) == 0
    assert files_in(Path("again")) == files_of("v1") | files_of("v2")
    assert "error" not in capsys.readouterr().err


def test_several_streams_each_in_its_folder(stream: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = make_stream(tmp_path / "<b>'&amp; ${x}.mp4", duration_s=3)
    # Named twice, each in its own way.
    assert main(["analyze", str(short), "-o", "out", "--url", str(stream), "--url", str(short), "missing.mp4"]) == 2
    assert "unrecognized arguments: missing.mp4" in capsys.readouterr().err
    assert main(["analyze", str(short), "missing.mp4", "-o", "out", "--url", str(stream), "--url", str(short)]) == 2
    printed = capsys.readouterr()
    assert "missing.mp4" in printed.err and "stream 2 of 3" in printed.err
    first, second = sorted(path.name for path in Path("out").iterdir())
    assert first.startswith("1_") and second == "3_stream"
    assert files_in(Path("out") / first) == files_in(Path("out") / second) == files_of("v2")
    page = (Path("out") / first / "timeline_v2.html").read_text(encoding="utf-8")
    assert "<b>" not in page and "&lt;b&gt;" in page
    assert read(Path("out") / first / "features" / "features_v2.json")["ticks"] == 6


def test_clips_come_with_how_they_were_found(stream: Path) -> None:
    folder = Path("clips")
    assert main(["--url", str(stream), "--generate-clips", "--mode", "v1", "--output", str(folder), "-q"]) == 0
    debug = read(folder / "debug" / "segmentation_v1_debug.json")
    (manifest,) = folder.glob("highlights_*.json")
    told = [{key: clip[key] for key in CLIP_KEYS} for clip in debug["final_clips"]]
    assert told == [{key: clip[key] for key in CLIP_KEYS} for clip in read(manifest)["highlights"]]


def test_two_streams_in_one_folder_keep_their_documents(stream: Path, tmp_path: Path) -> None:
    short = make_stream(tmp_path / "short.mp4", duration_s=3)
    links = ["--url", str(stream), "--url", str(short)]
    for _ in range(2):
        assert main([*links, "--generate-clips", "--output", "clips", "-q"]) == 0
        assert files_in(Path("clips/debug")) == {
            f"{name}/segmentation_v2_debug.json" for name in ("1_stream", "2_short")
        }
    lengths_s = [read(path)["stream"]["end_sec"] for path in sorted(Path("clips/debug").rglob("*.json"))]
    assert lengths_s == [50, 3]


def test_without_a_folder_nothing_is_written(stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(stream), "--end-minute", "0.2"]) == 0
    assert not list(Path().glob("*.json")) and not list(Path().glob("*.html")) and not Path("debug").exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["analyze"], "no stream"),
        (["analyze", "-o", "out"], "no stream"),
        (["analyze", "{stream}", "--compare"], "-o DIR"),
        (["analyze", "{stream}", "--mode", "v3"], "v3"),
        (["--url", "{stream}", "--mode", ""], "--mode"),
        (["analyze", "{stream}", "-o", "{stream}"], "is a file"),
        (["analyze", "{stream}", "-o", "{stream}/under"], "under"),
        (["analyze", "{stream}", "--demo", "-o", "out"], "--demo"),
    ],
)
def test_what_is_refused(argv: list[str], words: str, stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in complaint(capsys, *(argument.format(stream=stream) for argument in argv))


def test_a_setting_that_is_no_mode(
    stream: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIGHLIGHT_MODE", "v3")
    said = complaint(capsys, "analyze", stream)
    assert "HIGHLIGHT_MODE" in said and "v1" in said
