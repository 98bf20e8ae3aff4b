"""Labels by folder: `keep/` and `drop/`, by command and by hand in a file manager, and what they teach."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from library_facts import a_clip, a_file, a_source
from sqlalchemy import text

from kick_clip_generator.cli.main import main
from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import LABEL_STARS, ClipQuery
from kick_clip_generator.library.thumbnails import thumbnail_path, write_thumbnail
from kick_clip_generator.service.folders import scan, set_label
from kick_clip_generator.service.library import open_library
from kick_clip_generator.service.rating import next_to_rate, rate

Make = Callable[..., int]


@pytest.fixture
def settings() -> Settings:
    return Settings(min_training_samples=100)


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    with open_library(settings) as library:
        yield library


@pytest.fixture
def home(settings: Settings) -> Path:
    return settings.clips_dir.resolve() / "A stream"


@pytest.fixture
def make(library: Library, home: Path) -> Make:
    """Record clips whose contents differ; they need not be media here."""
    source_id = library.record_source(a_source())

    def record(name: str = "clip.mp4", *, folder: Path = home, content: bytes | None = None) -> int:
        number = library.record_clip(a_clip(source_id, folder / name))
        library.update_clip(number, file=a_file(folder / name, content or f"clip {number}".encode()))
        write_thumbnail(folder / name, b"a picture")
        return number

    return record


def moved_by_hand(library: Library, number: int, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    library.clip(number).path.rename(target)


def test_keeping_and_dropping_move_the_file_and_its_thumbnail(
    library: Library, settings: Settings, home: Path, make: Make
) -> None:
    number = make()
    content = library.clip(number).path.read_bytes()
    for label, folder in (("keep", home / "keep"), ("drop", home / "drop"), (None, home)):
        clip = set_label(library, settings, number, label).clip  # type: ignore[arg-type]
        assert clip == library.clip(number) and clip.path == folder / "clip.mp4"
        assert clip.path.read_bytes() == content and thumbnail_path(clip.path).read_bytes() == b"a picture"
        assert (clip.kept, clip.dropped) == (label == "keep", label == "drop")
        assert list(home.rglob("*.mp4")) == [clip.path]
        assert list(home.rglob("*.jpg")) == [thumbnail_path(clip.path)]
    assert scan(library, settings).followed == []


def test_what_lies_there_is_not_overwritten(library: Library, settings: Settings, home: Path, make: Make) -> None:
    (home / "keep").mkdir(parents=True)
    (home / "keep" / "clip.mp4").write_bytes(b"mine")
    assert set_label(library, settings, make(), "keep").clip.path == home / "keep" / "clip_2.mp4"
    assert (home / "keep" / "clip.mp4").read_bytes() == b"mine"


def test_a_file_or_a_link_in_the_way_is_told(
    library: Library, settings: Settings, home: Path, make: Make, tmp_path: Path
) -> None:
    number = make()
    (home / "keep").write_text("a file")
    with pytest.raises(LibraryError, match="rename what is in its way"):
        set_label(library, settings, number, "keep")
    (tmp_path / "elsewhere").mkdir()
    (home / "drop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LibraryError, match="is a link"):
        set_label(library, settings, number, "drop")
    clip = library.clip(number)
    assert clip.path.is_file() and not clip.kept and not clip.dropped
    assert not list((tmp_path / "elsewhere").iterdir())


def test_both_teach_and_stars_teach_more(library: Library, settings: Settings, make: Make) -> None:
    kept, dropped, starred, skipped, back = (make(f"{n}.mp4") for n in range(5))
    rate(library, settings, starred, 5)
    rate(library, settings, skipped, None)
    for number, label in ((kept, "keep"), (dropped, "drop"), (starred, "drop"), (back, "drop"), (back, None)):
        set_label(library, settings, number, label)  # type: ignore[arg-type]
    assert {sample.clip_id: sample.stars for sample in library.training_samples()} == {
        kept: LABEL_STARS["keep"],
        dropped: LABEL_STARS["drop"],
        starred: 5,
    }
    counts = library.rating_counts()
    assert (counts.rated_clips, counts.labeled_clips, counts.skips) == (1, 2, 1), (
        "a skip is no label, and no label a skip"
    )
    assert library.clip(kept).stars is None and library.clip(starred).stars == 5
    set_label(library, settings, kept, "keep")
    assert library.rating_totals().total == 3, "neither the same label again nor one beside stars is another rating"
    set_label(library, settings, kept, "drop")
    assert {s.clip_id: s.stars for s in library.training_samples()}[kept] == LABEL_STARS["drop"], "the latest counts"


def test_labels_set_off_a_training_like_stars(library: Library, make: Make) -> None:
    settings = Settings(min_training_samples=3, retrain_every=3)
    messages = [set_label(library, settings, make(f"{n}.mp4"), "keep").outcome.message for n in range(2)]
    assert messages[1] == "Not enough ratings yet: 2 of 3."
    assert set_label(library, settings, make("2.mp4"), "drop").outcome.retrained is not None


def test_dropped_clips_leave_the_lists(library: Library, settings: Settings, make: Make) -> None:
    first, second = make("a.mp4"), make("b.mp4")
    set_label(library, settings, first, "drop")
    assert [clip.id for clip in library.clips().items] == [second]
    assert [clip.id for clip in library.clips(ClipQuery(dropped=True)).items] == [first]
    assert len(library.clips(ClipQuery(dropped=None)).items) == 2
    following = next_to_rate(library, settings)
    assert following is not None and following.id == second


class TestByHand:
    """What somebody did in a file manager is noticed when the library is opened next."""

    def test_moves_are_labels(self, library: Library, settings: Settings, home: Path, make: Make) -> None:
        kept, dropped, back = make("a.mp4"), make("b.mp4"), make("c.mp4")
        set_label(library, settings, back, "keep")
        moved_by_hand(library, kept, home / "keep" / "a.mp4")
        moved_by_hand(library, dropped, home / "drop" / "b.mp4")
        moved_by_hand(library, back, home / "c.mp4")
        with open_library(settings) as again:
            assert again.clip(kept).kept and again.clip(kept).path == home / "keep" / "a.mp4"
            assert again.clip(dropped).dropped
            assert not again.clip(back).kept
            assert {s.clip_id: s.stars for s in again.training_samples()} == {kept: 4, dropped: 1}
            assert thumbnail_path(again.clip(kept).path).is_file()

    @pytest.mark.parametrize(
        "name",
        [
            "my best.mp4",
            "keep.mp4",
            "\N{PILE OF POO}\N{RIGHT-TO-LEFT OVERRIDE}4pm.mp4",
            "-rf ~ $(id) 'a\" %s.mp4",
            "no\udcffutf8.mp4",
            "line\nbreak.mp4",
        ],
    )
    def test_a_renamed_file_is_known_by_its_content(
        self, library: Library, settings: Settings, home: Path, make: Make, name: str
    ) -> None:
        renamed, labeled = make("a.mp4"), make("b.mp4")
        moved_by_hand(library, renamed, home / name)
        moved_by_hand(library, labeled, home / "keep" / name)
        found = scan(library, settings)
        assert set(found.followed) == {renamed, labeled} and found.kept == [labeled]
        assert (library.clip(renamed).path, library.clip(renamed).name) == (home / name, name)
        assert library.clip(labeled).path == home / "keep" / name
        assert scan(library, settings).followed == []

    def test_a_renamed_folder_is_found(self, library: Library, settings: Settings, home: Path, make: Make) -> None:
        plain, kept = make("a.mp4"), make("b.mp4")
        set_label(library, settings, kept, "keep")
        home.rename(home.with_name("Another title"))
        scan(library, settings)
        assert library.clip(plain).path == home.with_name("Another title") / "a.mp4"
        assert library.clip(kept).kept and library.clip(kept).home == home.with_name("Another title")

    def test_a_stream_called_drop_is_not_dropped(self, library: Library, settings: Settings, make: Make) -> None:
        root = settings.clips_dir.resolve()
        number, flat = make(folder=root / "drop"), make("flat.mp4", folder=root)
        assert scan(library, settings).dropped == []
        moved_by_hand(library, flat, root / "renamed.mp4")
        moved_by_hand(library, number, root / "drop" / "renamed.mp4")
        scan(library, settings)
        assert not library.clip(flat).dropped
        os.utime(library.clip(number).path, (1, 1))
        scan(library, settings)
        assert library.clip(number).path.is_file()

    def test_a_clip_kept_by_flag_alone_stays_kept_when_renamed(
        self, library: Library, settings: Settings, home: Path, make: Make
    ) -> None:
        number = make()
        library.update_clip(number, kept=True)
        moved_by_hand(library, number, home / "other.mp4")
        scan(library, settings)
        assert library.clip(number).kept and library.clip(number).name == "other.mp4"

    def test_copies_links_and_strangers_are_left_alone(
        self, library: Library, settings: Settings, home: Path, make: Make, tmp_path: Path
    ) -> None:
        number, lost = make("a.mp4"), make("b.mp4")
        (home / "keep").mkdir()
        shutil.copy(home / "a.mp4", home / "keep" / "a.mp4")
        (home / "drop").mkdir()
        (home / "drop" / "mine.mp4").write_bytes(b"x" * library.clip(lost).size)
        moved_by_hand(library, lost, tmp_path / "b.mp4")
        (home / "drop" / "b.mp4").symlink_to(tmp_path / "b.mp4")
        os.mkfifo(home / "drop" / "pipe.mp4")
        found = scan(library, settings)
        assert (found.followed, found.missing) == ([], [lost])
        assert not library.clip(number).kept and not library.clip(lost).dropped
        assert (home / "drop" / "mine.mp4").is_file()

    def test_twins_are_not_mixed_up(self, library: Library, settings: Settings, home: Path, make: Make) -> None:
        first, second = make("a.mp4", content=b"same"), make("b.mp4", content=b"same")
        moved_by_hand(library, first, home / "keep" / "a.mp4")
        moved_by_hand(library, second, home / "drop" / "b.mp4")
        scan(library, settings)
        assert library.clip(first).kept and library.clip(second).dropped

    def test_a_deleted_file_may_still_be_called_bad(
        self, library: Library, settings: Settings, home: Path, make: Make
    ) -> None:
        number = make()
        (home / "clip.mp4").unlink()
        with pytest.raises(LibraryError, match="put it back"):
            set_label(library, settings, number, "keep")
        assert set_label(library, settings, number, "drop").clip.dropped


class TestRetention:
    def age(self, library: Library, days: float) -> None:
        with library.writing() as session:
            session.execute(text(f"UPDATE clip SET dropped_at = dropped_at - {days * 86400}"))

    def test_drop_is_emptied_after_a_while_and_goes_on_teaching(
        self, library: Library, settings: Settings, home: Path, make: Make
    ) -> None:
        number, kept = make("a.mp4"), make("b.mp4")
        set_label(library, settings, number, "drop")
        set_label(library, settings, kept, "keep")
        (home / "drop" / "mine.mp4").write_bytes(b"no clip of ours")
        self.age(library, 29)
        assert scan(library, settings).emptied == []
        self.age(library, 2)
        assert scan(library, Settings(drop_days=0)).emptied == []
        assert scan(library, settings).emptied == [number]
        assert [path.name for path in (home / "drop").rglob("*") if path.is_file()] == ["mine.mp4"]
        assert (home / "keep" / "b.mp4").is_file()
        assert {s.clip_id: s.stars for s in library.training_samples()} == {number: 1, kept: 4}
        with pytest.raises(LibraryError, match="no clip"):
            library.clip(number)

    def test_what_was_changed_or_taken_out_stays(
        self, library: Library, settings: Settings, home: Path, make: Make, tmp_path: Path
    ) -> None:
        changed, rescued = make("a.mp4"), make("b.mp4")
        for number in (changed, rescued):
            set_label(library, settings, number, "drop")
        self.age(library, 31)
        (home / "drop" / "a.mp4").write_bytes(b"my own edit")
        moved_by_hand(library, rescued, home / "b.mp4")
        assert scan(library, settings).emptied == []
        assert (home / "drop" / "a.mp4").read_bytes() == b"my own edit" and not library.clip(rescued).dropped

    def test_a_disk_that_is_not_there_loses_nothing(
        self, library: Library, settings: Settings, home: Path, make: Make, tmp_path: Path
    ) -> None:
        number = make()
        set_label(library, settings, number, "drop")
        self.age(library, 31)
        home.rename(tmp_path / "unplugged")
        found = scan(library, settings)
        assert (found.missing, found.emptied) == ([number], [])


KILLED = """
import os, sys
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library import files
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.folders import set_label
from kick_clip_generator.service.library import open_library

def die(*_): os.kill(os.getpid(), 9)
if sys.argv[1] == "between the names":
    os.unlink = files.Path.unlink = die
else:
    Library.place_clip = die
with open_library(Settings()) as library:
    set_label(library, Settings(), int(sys.argv[2]), "keep")
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("where", ["between the names", "before the row"])
def test_a_kill_in_the_middle_of_a_move_is_mended(
    library: Library, settings: Settings, home: Path, make: Make, where: str
) -> None:
    number = make()
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where, str(number)], env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not library.clip(number).kept
    assert len(list(home.rglob("*.mp4"))) == (2 if where == "between the names" else 1)
    assert scan(library, settings).kept == [number]
    assert list(home.rglob("*.mp4")) == [home / "keep" / "clip.mp4"] == [library.clip(number).path]
    assert len(library.training_samples()) == 1


def test_on_the_command_line(library: Library, home: Path, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = make("a.mp4"), make("b.mp4")
    assert main(["keep", str(first), str(home / "b.mp4")]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [str(home / "keep" / "a.mp4"), str(home / "keep" / "b.mp4")]
    assert printed.err.strip() == "Not enough ratings yet: 2 of 10."
    assert main(["drop", str(second)]) == 0 and library.clip(second).dropped
    assert main(["drop", "--undo", str(second)]) == 0 and library.clip(second).path == home / "b.mp4"
    capsys.readouterr()
    for argv, words in (
        (["keep", "99"], "no clip 99"),
        (["drop", "nowhere.mp4"], "no clip of this library"),
        (["drop", "--undo", str(first)], "no such label"),
        (["keep", "9" * 30], "no clip of this library"),
        (["keep", ""], "got nothing"),
        (["keep"], "N|FILE"),
    ):
        assert main(argv) == 2
        said = capsys.readouterr().err.strip()
        assert said.startswith("error: ") and "\n" not in said and words in said
    assert main(["drop", "99", str(first)]) == 2, "one that fails does not hold up the others"
    assert library.clip(first).dropped
