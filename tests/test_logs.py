"""Log files rotate, survive several processes, and tell neither secrets nor lies."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kick_clip_generator.core.logs import FILE_NAME, MAX_FILE_BYTES, OLD_FILES, set_up_logging, without_secrets

log = logging.getLogger("kick_clip_generator.test")


def lines(folder: Path) -> list[str]:
    return (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()


def test_file_and_terminal_each_have_their_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(tmp_path / "new" / "logs", level="INFO", console_level="WARNING")
    log.debug("one")
    log.info("two")
    log.warning("three")
    logging.getLogger("urllib3").info("somebody else's chatter")
    assert [line.rsplit(": ", 1)[1] for line in lines(tmp_path / "new" / "logs")] == ["two", "three"]
    assert capsys.readouterr().err == "WARNING: three\n"


def test_a_second_set_up_takes_the_place_of_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(tmp_path / "a", level="INFO", console_level="WARNING")
    set_up_logging(tmp_path / "b", level="DEBUG", console_level="ERROR")
    log.debug("hello")
    log.warning("world")
    assert lines(tmp_path / "a") == []
    assert len(lines(tmp_path / "b")) == 2
    assert capsys.readouterr().err == ""


def test_a_title_can_not_forge_a_line_or_paint_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(tmp_path, level="INFO", console_level="WARNING")
    log.warning("title %s", "a\n2026-01-01 ERROR forged\x1b[31m\u202etxt\u2028 \U0001f389 \udcff")
    assert len(lines(tmp_path)) == 1
    shown = capsys.readouterr().err
    assert "\x1b" not in shown and "\u202e" not in shown and "\U0001f389" in shown
    assert r"a\n2026" in shown


@pytest.mark.allow_error_log
def test_a_traceback_is_kept_and_its_secrets_are_not(tmp_path: Path) -> None:
    set_up_logging(tmp_path, level="INFO", console_level="CRITICAL")
    try:
        raise OSError("403 for https://cdn.example/live.m3u8?Policy=SECRET1&Key-Pair-Id=x&Signature=SECRET2")
    except OSError:
        log.exception("fetching https://ann:SECRET3@cdn.example/?access_token=SECRET4")
    text = (tmp_path / FILE_NAME).read_text()
    assert "Traceback" in text and "SECRET" not in text and "cdn.example/live.m3u8" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ann:pw@host/a?x=1", "https://***@host/a?x=1"),
        ("https://host/a.ts?token=abc&quality=best", "https://host/a.ts?token=***&quality=best"),
        ("https://host/a?x=1&X-Amz-Signature=abc 'next'", "https://host/a?x=1&X-Amz-Signature=*** 'next'"),
        ("mail ann@host about ?nothing", "mail ann@host about ?nothing"),
        ("https://host/@ann/vod", "https://host/@ann/vod"),
    ],
)
def test_secrets_in_urls(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_files_rotate_and_the_oldest_go(tmp_path: Path) -> None:
    set_up_logging(tmp_path, level="INFO", console_level="CRITICAL")
    for number in range(OLD_FILES + 3):
        log.info("%d %s", number, "x" * MAX_FILE_BYTES)
    assert len(list(tmp_path.iterdir())) == OLD_FILES + 1
    assert f" {OLD_FILES + 2} x" in (tmp_path / FILE_NAME).read_text()


windows_locks = pytest.mark.skipif(os.name != "posix", reason="Windows does not rename open files")


@windows_locks
def test_a_file_that_another_process_moved_away_is_opened_anew(tmp_path: Path) -> None:
    set_up_logging(tmp_path, level="INFO", console_level="CRITICAL")
    log.info("one")
    (tmp_path / FILE_NAME).rename(tmp_path / f"{FILE_NAME}.1")
    log.info("two")
    assert len(lines(tmp_path)) == 1 and lines(tmp_path)[0].endswith("two")


@windows_locks
def test_processes_share_the_files_and_lose_no_line(tmp_path: Path) -> None:
    write = (
        "import logging, sys\n"
        "from pathlib import Path\n"
        "from kick_clip_generator.core.logs import set_up_logging\n"
        "set_up_logging(Path(sys.argv[1]), level='INFO', console_level='CRITICAL')\n"
        "log = logging.getLogger('kick_clip_generator.x')\n"
        "for n in range(100): log.info('%s-%d %s', sys.argv[2], n, 'x' * 20_000)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    command = [sys.executable, "-c", write, str(tmp_path)]
    processes = [subprocess.Popen([*command, name], env=environment) for name in ("a", "b")]
    assert [process.wait(60) for process in processes] == [0, 0]
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert all(f": {name}-{n} x" in text for name in ("a", "b") for n in range(100))


def test_a_folder_that_can_not_be_made_is_the_callers_to_explain(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(OSError):
        set_up_logging(tmp_path / "logs", level="INFO", console_level="WARNING")
