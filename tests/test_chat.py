"""Chat from a file to clips: the reader believes nothing, the signals are what they say, and bursts become moments."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kick_clip_generator.cli.main import main
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.records import ChatLine, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.signal_names import CHAT_NAMES
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.features.chat import AROUND_S, CHAT_FEATURES, LEAST_LINES, ChatLog, chat_signals
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.detect import DetectionConfig, detect
from kick_clip_generator.pipeline.analyze import beside
from kick_clip_generator.pipeline.chat import chat_columns, read_chat
from kick_clip_generator.service.generate import GenerateRequest
from kick_clip_generator.sources import chat_file
from kick_clip_generator.sources.chat_file import ChatFile
from tests.streams import make_stream

LAG_S = 6.0


def written(path: Path, lines: Iterable[ChatLine]) -> Path:
    text = "".join(json.dumps({"t": one.time_s, "user": one.user, "text": one.text}) + "\n" for one in lines)
    path.write_text(text, encoding="utf-8")
    return path


def a_chat(seconds: float, *bursts: Span, seed: int = 0, copies: bool = False) -> list[ChatLine]:
    """A line every two seconds, and ten times as many in bursts: of many people, or copies of one line by a few."""
    random = np.random.default_rng(seed)
    calm = [
        ChatLine(float(t), f"u{random.integers(500)}", f"talk {t}")
        for t in random.uniform(0, seconds, round(seconds / 2))
    ]
    loud = [
        ChatLine(
            float(t),
            f"bot{random.integers(40)}" if copies else f"u{random.integers(500)}",
            "BUY FOLLOWERS" if copies else f"WHAT {t} hahaha",
        )
        for burst in bursts
        for t in random.uniform(burst.start_s, burst.end_s, round(5 * burst.duration_s))
    ]
    return calm + loud


# -- the signals


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), lag_s=st.sampled_from([0.0, 3.0, 7.5]), first=st.integers(0, 60))
def test_the_signals_are_those_of_each_window(seed: int, lag_s: float, first: int) -> None:
    random = np.random.default_rng(seed)
    texts = ["GOOOOAL", "lol", "hahaha", "what is this", " What  IS this "]
    lines = [
        ChatLine(float(t), f"u{random.integers(20)}", texts[random.integers(len(texts))])
        for t in random.uniform(0, 150, random.integers(100, 400))
    ]
    found = chat_signals(ChatLog.of(lines), first, first + 200, lag_s=lag_s)
    assert found.names == CHAT_NAMES and found.first_tick == first
    half = round(AROUND_S / 2 / TICK_S)
    for tick in range(0, 180, 7):
        centre = first + tick
        window = [one for one in lines if abs(np.floor((one.time_s - lag_s) / TICK_S) - centre) <= half]
        said: dict[str, set[str]] = {}
        for one in window:
            said.setdefault(" ".join(one.text.split()).casefold(), set()).add(one.user)
        length_s = (2 * half + 1) * TICK_S
        laughs = sum(one.text in ("lol", "hahaha") for one in window)
        shouts = sum(one.text == "GOOOOAL" for one in window)
        expected = [
            len(window) / length_s,
            len({one.user for one in window}),
            sum(len(users) ** 0.5 for users in said.values()),
            laughs / length_s,
            shouts / length_s,
            1 - len(said) / len(window) if len(window) >= LEAST_LINES else np.nan,
        ]
        np.testing.assert_allclose(found.values[tick], expected, atol=1e-4)


def test_the_order_of_the_lines_and_the_hash_of_a_run_do_not_matter() -> None:
    lines = a_chat(600, Span(200, 210))
    one = chat_signals(ChatLog.of(lines), 0, 1200, lag_s=LAG_S)
    other = chat_signals(ChatLog.of(reversed(lines)), 0, 1200, lag_s=LAG_S)
    np.testing.assert_array_equal(one.values, other.values)


def test_a_moment_lies_before_the_burst_that_answers_it_and_copies_are_none() -> None:
    burst = Span(306, 316)
    for copies in (False, True):
        log = ChatLog.of(a_chat(600, burst, copies=copies))
        columns = chat_signals(log, 0, 1200, lag_s=LAG_S)
        timeline = beside(Timeline.unknown(NAMES, 0, 1200), columns)
        (best, *_) = detect(timeline, DetectionConfig()).chat or (None,)
        if copies:
            assert best is None or best.score < 0.3
        else:
            assert best is not None and best.score > 0.8
            assert best.event.temporal_iou(Span(burst.start_s - LAG_S, burst.end_s - LAG_S)) > 0.5
            assert best.event.start_s < burst.start_s <= best.event.end_s + LAG_S


def test_a_chat_says_nothing_of_what_it_does_not_reach() -> None:
    late = ChatLog.of([ChatLine(300 + t / 2, f"u{t % 50}", f"line {t}") for t in range(400)])
    known = np.isfinite(chat_signals(late, 0, 1800, lag_s=LAG_S).column("chat_rate"))
    assert not known[: round(2 * (300 - LAG_S)) - 1].any() and known[600:900].all() and not known[1100:].any()
    whole = ChatLog.of([ChatLine(20 + t / 2, f"u{t % 50}", f"line {t}") for t in range(1100)])
    assert np.isfinite(chat_signals(whole, 0, 1200, lag_s=LAG_S).column("chat_rate")[: 1200 - 13]).all()


def test_too_sparse_or_elsewhere_is_told_in_a_sentence() -> None:
    timeline = Timeline.unknown(NAMES, 0, 2400)
    for lines, words in (
        ([], "holds no line"),
        ([ChatLine(1e6 + t, "u", "x") for t in range(2000)], "no line in this part"),
        ([ChatLine(30.0 * t, "u", "x") for t in range(40)], "too sparse"),
        ([ChatLine(-1e300, "u", "x"), ChatLine(1e300, "u", "x")], "no line in this part"),
    ):
        columns, (note,) = chat_columns(ChatLog.of(lines), timeline, lag_s=LAG_S)
        assert columns is None and words in note
    assert chat_signals(ChatLog.of(a_chat(60)), 0, 0, lag_s=LAG_S).values.shape == (0, len(CHAT_NAMES))


def test_every_chat_signal_has_a_meaning() -> None:
    assert tuple(feature.name for feature in CHAT_FEATURES) == CHAT_NAMES


# -- the reader


def read(path: Path, content: bytes) -> tuple[Sequence[ChatLine], ChatFile]:
    path.write_bytes(content)
    file = ChatFile(path)
    return list(file), file


def test_lines_are_read_and_what_is_none_is_counted(tmp_path: Path) -> None:
    good = b'{"t": 1.5, "user": "a", "text": "hi"}\n'
    bad = [
        b"not json\n",
        b'{"t": NaN, "user": "a", "text": "x"}\n',
        b'{"t": 1e999, "user": "a"}\n',
        b'{"t": "3", "user": "a", "text": "x"}\n',
        b'{"t": true, "user": "a", "text": "x"}\n',
        b'{"t": 3, "text": "x"}\n',
        b'{"t": 3, "user": {}, "text": "x"}\n',
        b'{"t": 3, "user": "a", "text": ["x"]}\n',
        b"[1, 2]\n",
        b"null\n",
        b"[" * 50_000 + b"\n",
        b'{"t": ' + b"9" * 5000 + b', "user": "a"}\n',
        b'{"t": 3, "user": "a", "text": "' + b"x" * 200_000 + b'"}\n',
    ]
    lines, file = read(tmp_path / "chat.jsonl", b"\xef\xbb\xbf" + good + b"\n".join(bad) + b"\n\n" + good)
    assert [(one.time_s, one.user, one.text) for one in lines] == [(1.5, "a", "hi")] * 2
    assert file.skipped == len(bad) and not file.cut_short
    odd, _ = read(tmp_path / "odd.jsonl", b'{"t": 2, "user": 7, "text": "\xff\\ud800\\u0000"}\r\n{"t": 3, "user": "b"}')
    assert [(one.user, one.time_s) for one in odd] == [("7", 2.0), ("b", 3.0)]
    assert len(ChatLog.of(odd)) == 2
    long, _ = read(tmp_path / "long.jsonl", json.dumps({"t": 1, "user": "u" * 5000, "text": "x" * 5000}).encode())
    assert len(long[0].user) == chat_file.LONGEST_USER and len(long[0].text) == chat_file.LONGEST_TEXT


def test_files_of_something_else_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(os.urandom(300_000))
    (tmp_path / "rows.csv").write_text("time,user,text\n" * 2000)
    for name, words in (
        ("video.mp4", "is no chat"),
        ("rows.csv", "is no chat"),
        ("gone", "is not there"),
        (".", "regular"),
    ):
        with pytest.raises(InputError, match=words):
            read_chat(tmp_path / name)
    for special in ("/dev/zero", "bad\0name"):
        with pytest.raises(InputError):
            ChatFile(Path(special)).check()
    with pytest.raises(InputError, match="is not there"):
        GenerateRequest.checked(url="a.mp4", settings=Settings(), chat=tmp_path / "gone")
    assert read_chat(written(tmp_path / "empty", []))[1] == ()


def test_a_file_without_end_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "chat", a_chat(600))
    monkeypatch.setattr(chat_file, "MOST_LINES", 100)
    log, notes = read_chat(path)
    assert len(log) == 100 and "first" in notes[0]
    monkeypatch.setattr(chat_file, "MOST_LINES", 10**6)
    monkeypatch.setattr(chat_file, "MOST_BYTES", 2000)
    log, notes = read_chat(path)
    assert 0 < len(log) < 60 and notes


# -- the whole way


@pytest.mark.slow
def test_a_chat_from_the_command_line_to_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event, lone = Span(42, 51), Span(90, 100)
    stream = make_stream(tmp_path / "stream.mp4", duration_s=130, events=[(event.start_s, event.end_s)])
    bursts = [Span(one.start_s + LAG_S, one.end_s + LAG_S) for one in (event, lone)]
    lines = [*a_chat(130, *bursts), *(ChatLine(30.0, f"u{n}", "<script>alert(1)</script>") for n in range(3))]
    chat = written(tmp_path / "chat.jsonl", lines)
    with chat.open("a") as file:
        file.write("broken\n")
    assert main(["analyze", str(stream), "--chat", str(chat), "-o", "out", "--json", "found.json"]) == 0
    said = capsys.readouterr().out
    assert "× its baseline" in said and "1 line of the chat was left out" in said
    clips = json.loads(Path("out/v2_clips.json").read_text())
    heard = next(one for one in clips if Span(one["event_start"], one["event_end"]).same_moment(event))
    assert heard["kind"] == "fused" and any(reason["signal"] == "chat_voices" for reason in heard["reasons"])
    alone = next(one for one in clips if Span(one["event_start"], one["event_end"]).same_moment(lone))
    assert alone["kind"] == "chat" and alone["event_start"] < bursts[1].start_s
    found = json.loads(Path("found.json").read_text())
    assert found["chat_highlights"] and "speech_highlights" not in found
    signals = json.loads(Path("out/features/features_v2.json").read_text())
    assert set(CHAT_NAMES) <= set(signals["values"])
    assert {one["medium"] for one in signals["signals"]} == {"audio", "video", "chat"}
    page = Path("out/timeline_v2.html").read_text()
    assert "Excitement, all" in page and "of the chat" in page and "alert(1)" not in page
    debug = json.loads(Path("out/debug/segmentation_v2_debug.json").read_text())
    assert {anchor["kind"] for anchor in debug["anchors"]} == {"audio", "video", "chat"}
    assert all(one["reason"].startswith("chat") for one in debug["anchors"] if one["kind"] == "chat")
    # The same media without the chat.
    assert main(["analyze", str(stream), "-q", "--json", "plain.json"]) == 0
    plain = json.loads(Path("plain.json").read_text())
    assert {one["kind"] for one in plain["highlights"]} <= {"audio", "video", "both"}
    assert plain["audio_highlights"] == found["audio_highlights"]


def test_a_chat_belongs_to_one_stream_and_chat_highlights_need_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chat = written(tmp_path / "chat.jsonl", a_chat(60))
    assert main(["analyze", "a.mp4", "b.mp4", "--chat", str(chat)]) == 2
    assert "one stream" in capsys.readouterr().err
    (tmp_path / "a.mp4").write_bytes(b"")
    for flags in (["--type", "chat"], ["--max-chat-clips", "3"]):
        assert main(["analyze", str(tmp_path / "a.mp4"), *flags]) == 2
        assert "--chat FILE" in capsys.readouterr().err
