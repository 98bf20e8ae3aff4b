"""Behind publishing, clips are decoded whole: damage that no look at the ends shows is found, told and mended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from kick_clip_generator.cli.main import main
from kick_clip_generator.core.errors import Cancelled, MediaError
from kick_clip_generator.core.progress import CancelToken, Progress
from kick_clip_generator.core.records import CutMode, Highlight, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.media.cut import check_cut, cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path, kill_all
from kick_clip_generator.media.whole import check_whole, decode_whole
from kick_clip_generator.pipeline.verify import Verdict
from kick_clip_generator.service.bounds import move_bounds
from kick_clip_generator.service.cut import cut_highlights
from kick_clip_generator.service.folders import set_label
from kick_clip_generator.service.generate import GenerateRequest
from kick_clip_generator.service.library import open_library
from kick_clip_generator.service.verify import verify
from kick_clip_generator.ui.tiles import tile
from tests.streams import make_stream

pytestmark = pytest.mark.slow

LENGTH_S = 30.0


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stream(tmp_path_factory.mktemp("verify") / "stream.mp4", duration_s=LENGTH_S, events=[(12, 18)])


@pytest.fixture
def damaged(stream: Path, tmp_path: Path) -> Path:
    """The stream, with pictures around 13 s that cannot be decoded."""
    return spoiled(stream, tmp_path / "damaged.mp4", 13.0)


@pytest.fixture
def settings() -> Settings:
    return Settings(min_training_samples=100)


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    with open_library(settings) as library:
        yield library


def spoiled(path: Path, target: Path, at_s: float) -> Path:
    """A copy in which the pictures of 0.3 s are noise behind their first bytes."""
    media = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        hit = [p for p in container.demux(video=0) if p.size and at_s <= p.pts * p.time_base < at_s + 0.3]
        for packet in hit:
            assert packet.pos is not None
            for place in range(packet.pos + 6, packet.pos + packet.size):
                media[place] ^= 0x5A
    assert len(hit) >= 6
    target.write_bytes(media)
    return target


def by_hand(path: Path, library: Library, settings: Settings, start_s: float, end_s: float, mode: CutMode) -> int:
    span = Span(start_s, end_s)
    highlight = Highlight(kind="both", score=0.0, peak_s=(start_s + end_s) / 2, event=span, clip=span)
    request = GenerateRequest.checked(url=str(path), settings=settings, cut=mode)
    return cut_highlights(request, [highlight], library=library, settings=settings).files[0].id


def only(verdicts: list[Verdict]) -> Verdict:
    (verdict,) = verdicts
    return verdict


class TestOneFile:
    @pytest.mark.parametrize("mode", ["copy", "smart", "exact"])
    def test_a_sound_clip_passes(self, stream: Path, tmp_path: Path, mode: CutMode) -> None:
        target = tmp_path / "clip.mp4"
        cut(ffmpeg_path(), stream, target, start_s=9.3, duration_s=8.0, mode=mode)
        decode_whole(target)
        check_whole(target)

    def test_damage_in_the_middle_passes_the_look_at_the_ends_alone(self, damaged: Path, tmp_path: Path) -> None:
        target = tmp_path / "clip.mp4"
        done = cut(ffmpeg_path(), damaged, target, start_s=9.3, duration_s=8.0, mode="smart")
        check_cut(target, done, damaged)
        with pytest.raises(MediaError, match=r"^At about 3\.\d s something cannot be decoded"):
            check_whole(target)

    def test_what_is_cut_off_or_no_media_is_told(self, stream: Path, tmp_path: Path) -> None:
        target = tmp_path / "clip.mp4"
        cut(ffmpeg_path(), stream, target, start_s=2.0, duration_s=8.0, mode="exact")
        target.write_bytes(target.read_bytes()[: target.stat().st_size * 2 // 3])
        with pytest.raises(MediaError, match=r"At about \d\.\d s media are missing|ends at about"):
            check_whole(target)
        target.write_bytes(b"hello")
        with pytest.raises(MediaError, match="cannot be decoded"):
            check_whole(target)
        with pytest.raises(MediaError, match="can't be opened"):
            check_whole(tmp_path / "nothing here.mp4")

    def test_one_that_hangs_or_is_not_wanted_any_more_is_ended(self, stream: Path) -> None:
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            check_whole(stream, cancel=cancel)
        with pytest.raises(MediaError, match="stood still for 0 s"):
            check_whole(stream, stall_s=0.0)
        if sys.platform == "linux":
            mine = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            assert not [pid for pid in mine if b"media.whole" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def test_one_whose_decoder_is_killed_is_no_good(self, stream: Path, tmp_path: Path) -> None:
        timer = threading.Timer(0.1, kill_all)
        timer.start()
        with pytest.raises(MediaError, match="broke down"):
            check_whole(stream)
        timer.join()


class TestRows:
    def test_a_clip_is_pending_then_sound(self, stream: Path, library: Library, settings: Settings) -> None:
        number = by_hand(stream, library, settings, 9.3, 15.0, "smart")
        before = library.clip(number)
        assert (before.checked, before.check_note) == ("pending", "")
        assert "Not checked yet" in tile(before, place="browse")
        steps: list[Progress] = []
        assert only(verify(library, settings, [number, 999], progress=steps.append)).outcome == "sound"
        after = library.clip(number)
        assert (after.checked, after.check_note) == ("sound", "") and ">Checked<" in tile(after, place="browse")
        assert {step.step for step in steps} == {"verify"} and steps[-1].done == steps[-1].total
        assert verify(library, settings, [number]) == [], "once is enough"
        moved = move_bounds(number, 10.0, None, library=library, settings=settings).clip
        assert moved.checked == "pending", "another file"
        kept = set_label(library, settings, number, "keep").clip
        assert verify(library, settings, [number])[0].outcome == "sound" and kept.path.parent.name == "keep"
        assert set_label(library, settings, number, None).clip.checked == "sound", "the same file elsewhere"

    def test_a_damaged_clip_is_made_again_in_a_stricter_way(
        self, damaged: Path, library: Library, settings: Settings
    ) -> None:
        number = by_hand(damaged, library, settings, 9.3, 17.0, "smart")
        before = library.clip(number)
        verdict = only(verify(library, settings, [number]))
        after = library.clip(number)
        assert verdict.outcome == "remade" and verdict.note == after.check_note
        assert after.checked == "sound" and "smart cut was damaged (At about 3." in after.check_note
        assert after.sha256 != before.sha256 and after.path == before.path
        decode_whole(after.path)
        # For everybody else it is the clip that it was: a later run takes it as it is.
        assert (after.cut, after.span, after.moved) == ("smart", before.span, False)
        assert by_hand(damaged, library, settings, 9.3, 17.0, "smart") == number
        assert not list(Path().rglob("*.part")) and not list(Path("temp_chunks").iterdir())

    def test_what_failed_before_publishing_is_on_the_row(
        self, stream: Path, tmp_path: Path, library: Library, settings: Settings
    ) -> None:
        source = spoiled(stream, tmp_path / "start.mp4", 9.7)
        number = by_hand(source, library, settings, 9.0, 15.0, "copy")
        clip = library.clip(number)
        assert "A copy cut was not sound" in clip.check_note and clip.path.name not in clip.check_note
        assert ".part" not in clip.check_note and clip.checked == "pending"
        assert only(verify(library, settings, [number])).outcome == "sound"
        assert library.clip(number).check_note == clip.check_note, "why it was cut so stays"

    def test_without_its_source_it_stays_and_says_so(self, damaged: Path, library: Library, settings: Settings) -> None:
        number = by_hand(damaged, library, settings, 9.3, 17.0, "smart")
        content = library.clip(number).path.read_bytes()
        damaged.unlink()
        verdict = only(verify(library, settings, [number]))
        clip = library.clip(number)
        assert (verdict.outcome, clip.checked, clip.check_note) == ("damaged", "damaged", verdict.note)
        assert "At about 3." in clip.check_note and "could not be cut anew" in clip.check_note
        assert clip.path.read_bytes() == content
        shown = tile(clip, place="rate")
        assert 'class="fault"' in shown and ">Damaged<" in shown
        assert set_label(library, settings, number, "drop").clip.checked == "damaged"

    def test_another_source_under_the_name_is_not_cut(
        self, damaged: Path, stream: Path, library: Library, settings: Settings
    ) -> None:
        number = by_hand(damaged, library, settings, 9.3, 17.0, "smart")
        damaged.write_bytes(stream.read_bytes() + b"\0")
        assert "not what it was" in only(verify(library, settings, [number])).note

    def test_a_file_of_somebody_is_looked_at_and_left_alone(
        self, stream: Path, library: Library, settings: Settings
    ) -> None:
        number = by_hand(stream, library, settings, 9.3, 15.0, "smart")
        clip = library.clip(number)
        edited = clip.path.read_bytes()[:20_000]
        clip.path.write_bytes(edited)
        assert "was changed since it was cut" in only(verify(library, settings, [number])).note
        assert clip.path.read_bytes() == edited and library.clip(number).checked == "damaged"
        cut(ffmpeg_path(), stream, clip.path, start_s=1.0, duration_s=2.0, mode="exact")
        assert only(verify(library, settings, [number])).outcome == "sound", "as it is now"
        assert library.clip(number).check_note == ""

    def test_one_that_is_missing_stays_pending(self, stream: Path, library: Library, settings: Settings) -> None:
        numbers = [by_hand(stream, library, settings, start_s, 15.0, "smart") for start_s in (9.3, 10.3)]
        library.clip(numbers[0]).path.unlink()
        verdicts = verify(library, settings, numbers)
        assert [verdict.outcome for verdict in verdicts] == ["missing", "sound"]
        assert "not there any more" in verdicts[0].note and library.clip(numbers[0]).checked == "pending"

    def test_a_stop_leaves_the_rest_pending(self, stream: Path, library: Library, settings: Settings) -> None:
        numbers = [by_hand(stream, library, settings, start_s, 15.0, "smart") for start_s in (9.3, 10.3)]
        cancel = CancelToken()
        with pytest.raises(Cancelled):
            verify(
                library,
                settings,
                numbers,
                cancel=cancel,
                progress=lambda step: cancel.cancel() if step.done == 1 else None,
            )
        assert [library.clip(number).checked for number in numbers] == ["sound", "pending"]

    def test_nothing_is_noted_on_a_file_that_came_meanwhile(
        self, stream: Path, library: Library, settings: Settings
    ) -> None:
        number = by_hand(stream, library, settings, 9.3, 15.0, "smart")
        before = library.clip(number)
        move_bounds(number, 10.0, None, library=library, settings=settings)
        assert not library.set_checked(before, "damaged", "old")
        assert library.clip(number).checked == "pending"


class TestCommandLine:
    def test_the_list_comes_first_then_the_check(
        self, damaged: Path, library: Library, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["clip", str(damaged), "--start", "9.3", "--end", "17"]) == 0
        out, err = capsys.readouterr()
        assert out.strip().endswith(".mp4") and "Checking 0/1" in err
        assert "smart cut was damaged" in err and "Checked: 1 of 1 clip is sound." in err
        assert library.clips().items[0].checked == "sound"
        assert main(["clip", str(damaged), "--start", "9.3", "--end", "17"]) == 0
        assert "Check" not in capsys.readouterr().err, "it is sound already"

    def test_ctrl_c_ends_the_check_and_nothing_else(
        self, stream: Path, library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        real = sys.stderr.write

        def write(text: str) -> int:
            if "Checking 0" in text:
                signal.raise_signal(signal.SIGINT)
            return real(text)

        monkeypatch.setattr(sys.stderr, "write", write)
        assert main(["clip", str(stream), "--start", "9.3", "--end", "15"]) == 0
        out, err = capsys.readouterr()
        assert Path(out.strip()).is_file() and "Checking was stopped" in err
        assert library.clips().items[0].checked == "pending"
