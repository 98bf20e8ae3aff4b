"""The settings sheet: generated, complete, and true to `core/settings.py`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import pytest

from kick_clip_generator.cli import config
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent


def values_in(sheet: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(sheet, names)
    return {key: value for key, value in names.items() if key.isupper()}


def command(*flags: str) -> int:
    parser = argparse.ArgumentParser()
    config.add_arguments(parser)
    return config.run(parser.parse_args(flags), load_settings())


@pytest.mark.parametrize("name", ["config.py", ".env.example"])
def test_kept_file_is_what_the_generator_gives(name: str) -> None:
    wanted = config.render_sheet() if name == "config.py" else config.render_env_example()
    assert (ROOT / name).read_text(encoding="utf-8") == wanted, "run: python main.py config --write --defaults"


def test_sheet_holds_every_setting_at_its_default() -> None:
    values = values_in(config.render_sheet())
    assert sorted(values) == sorted(name.upper() for name in Settings.model_fields)
    assert load_settings(values) == load_settings()


def test_every_line_of_the_env_example_can_be_taken_into_use(tmp_path: Path) -> None:
    lines = config.render_env_example().splitlines()
    live = [line.removeprefix("# ") for line in lines if line.startswith("# ") and line[2:].split("=")[0].isupper()]
    assert len(live) == len(Settings.model_fields)
    defaults = load_settings()
    Path(".env").write_text("\n".join(live), encoding="utf-8")
    # The overrides show that the lines were read: .env is stronger.
    assert load_settings({"PORT": 1234, "USER_AGENTS": ["x"], "CLIP_DURATION": 9, "FFMPEG_PATH": "/x"}) == defaults


def test_every_setting_is_explained_in_one_sentence_with_its_range() -> None:
    assert sum(map(len, config.sections().values())) == len(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert config.explained(field).endswith("."), name
    assert "5 to 600" in config.explained(Settings.model_fields["chunk_duration"])
    assert "More than 0 to 1" in config.explained(Settings.model_fields["learning_rate"])
    assert "DEBUG, INFO" in config.explained(Settings.model_fields["log_level"])


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two files, that the command takes for its own."""
    for name in ("config.py", ".env.example"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    monkeypatch.setattr(config, "ROOT", tmp_path)
    return tmp_path


def test_writing_anew_keeps_what_was_changed(checkout: Path) -> None:
    sheet = checkout / "config.py"
    old = sheet.read_text().replace("PORT = None", 'PORT = 8000\nOUTPUT_DIR = "my \\"best\\" clips\\\\new"')
    sheet.write_text(old.replace("MIN_GAP = 10\n", ""))  # as if this version brought the setting
    assert command("--write") == 0
    assert values_in(sheet.read_text()) == values_in(config.render_sheet()) | {
        "PORT": 8000,
        "OUTPUT_DIR": 'my "best" clips\\new',
    }
    assert command("--write", "--defaults") == 0
    assert sheet.read_text() == config.render_sheet()


def test_check_tells_a_file_that_is_not_up_to_date(checkout: Path) -> None:
    assert command("--check") == 0
    (checkout / ".env.example").write_text("# old\n")
    with pytest.raises(InputError, match=r"\.env\.example not up to date"):
        command("--check")


@pytest.mark.parametrize("line", ["import os", "PROT = 7860", "PORT = 7000 + 860", "lower = 1"])
def test_a_sheet_with_code_of_the_user_is_not_written_over(checkout: Path, line: str) -> None:
    sheet = checkout / "config.py"
    sheet.write_text(sheet.read_text() + line + "\n")
    before = sheet.read_text()
    with pytest.raises(InputError, match="would be lost"):
        command("--write")
    assert sheet.read_text() == before


def test_without_flags_the_sheet_is_shown(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command() == 0
    assert capsys.readouterr().out == config.render_sheet()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CHUNK_DURATION", "4", ("CHUNK_DURATION", "'4'", "5 to 600")),
        ("PORT", "70000", ("PORT", "70000", "1 to 65535")),
        ("FRAME_SKIP", "7", ("FRAME_SKIP", "one of 1, 2, 3")),
        ("MIN_GAP", "nan", ("MIN_GAP", "nan")),
        ("LOG_LEVEL", "LOUD", ("LOG_LEVEL", "LOUD")),
        ("CHUNK_OVERLAP", "40", ("CHUNK_OVERLAP", "CHUNK_DURATION")),
    ],
)
def test_a_value_out_of_range_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as caught:
        load_settings()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_environment_beats_dotenv_beats_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings({"PORT": 1001}).port == 1001
    Path(".env").write_text("PORT=1002\nMAX_RETRIES=3\n")
    assert load_settings({"PORT": 1001, "MAX_RETRIES": 1}).port == 1002
    monkeypatch.setenv("PORT", "1003")
    settings = load_settings({"PORT": 1001, "MAX_RETRIES": 1})
    assert (settings.port, settings.max_retries) == (1003, 3)
