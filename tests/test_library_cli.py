"""`backup`, `restore`, `library export|import` and `retention`, as somebody types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from library_facts import a_clip, a_source

from kick_clip_generator.cli.main import main
from kick_clip_generator.library.library import Library


def test_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Library.open("clips.db") as library:
        source_id = library.record_source(a_source())
        clip_id = library.record_clip(a_clip(source_id, tmp_path / "output_clips" / "s" / "1.mp4"))
        library.rate(clip_id, 4, None)
    assert main(["backup"]) == 0
    backup = Path(capsys.readouterr().out.strip())
    assert backup.parent == tmp_path / "backups"
    assert main(["library", "export", "out"]) == 0
    assert "ratings        1" in capsys.readouterr().out
    with Library.open("clips.db") as library:
        library.rate(clip_id, 1, None)
    assert main(["restore"]) == 0
    assert backup.name in capsys.readouterr().out
    with Library.open("clips.db") as library:
        assert library.clip(clip_id).stars == 4
    assert main(["retention", "--dry-run"]) == 0
    assert capsys.readouterr().out == "Nothing to delete.\n"


def test_labels_reach_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Library.open("clips.db") as library:
        clip_id = library.record_clip(a_clip(library.record_source(a_source()), tmp_path / "1.mp4"))
        library.rate(clip_id, 4, None)
    assert main(["library", "export", str(tmp_path / "out")]) == 0
    monkeypatch.setenv("DATABASE_PATH", str(tmp_path / "other" / "clips.db"))
    assert main(["library", "import", str(tmp_path / "out")]) == 0
    with Library.open(tmp_path / "other" / "clips.db") as other:
        assert [sample.stars for sample in other.training_samples()] == [4]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["restore"], "no backup"),
        (["restore", "nowhere.db"], "no file"),
        (["library", "import", "nowhere"], "no export"),
        (["library", "steal", "x"], "invalid choice"),
    ],
)
def test_what_cannot_be_is_one_line(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(argv)
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    printed = capsys.readouterr().err
    assert words in printed and printed.count("\n") == 1


def test_postgresql_by_url(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    with Library.open(postgres_url) as library:
        library.record_source(a_source())
    assert main(["backup", "--to", "copy.db"]) == 0
    with Library.open("copy.db") as copy:
        assert len(copy.sources()) == 1
    assert not Path("clips.db").exists()
