"""Backups: their names, how many are kept, which are good, and a damaged `clips.db` replaced by the newest good one."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from kick_clip_generator.core.errors import LibraryError, UnavailableError
from kick_clip_generator.library.engine import BUSY_TIMEOUT_S
from kick_clip_generator.library.files import free_path, part_file, publish
from kick_clip_generator.library.owner import is_dead, process_owner
from kick_clip_generator.library.records import Published

log = logging.getLogger(__name__)

KEPT = 5

# `clips.20261121_153000.db`, `clips.20261121_153000_2.db`, `clips.20261121_153000.before-0004.db`: made by the program,
# which deletes the oldest. Files of other names were made by somebody.
_STAMP = r"(?P<time>\d{8}_\d{6})(\.before-\d+)?(_(?P<number>\d+))?"
_RECOVERY_WAIT_S = 60.0


def new_backup(folder: Path, stem: str, note: str = "") -> Path:
    """A free path for a backup of this moment, which sorts behind all that are there."""
    now = f"{datetime.now():%Y%m%d_%H%M%S}"
    # Not the first free number: the oldest of this very second may have been deleted.
    number = max((number for (second, number), _ in _found(folder, stem) if second == now), default=0) + 1
    return free_path(folder, f"{stem}.{now}{note}{f'_{number}' if number > 1 else ''}.db")


def list_backups(folder: Path, stem: str) -> list[Path]:
    """What `new_backup` named, the newest first."""
    return [path for _, path in sorted(_found(folder, stem), reverse=True)]


def _found(folder: Path, stem: str) -> list[tuple[tuple[str, int], Path]]:
    """What `new_backup` named, each with its second and its number within that."""
    pattern = re.compile(rf"{re.escape(stem)}\.{_STAMP}\.db")
    try:
        names = [(pattern.fullmatch(path.name), path) for path in folder.iterdir()]
    except OSError:
        return []
    return [((match["time"], int(match["number"] or 1)), path) for match, path in names if match]


def prune_backups(folder: Path, stem: str, *, keep: int) -> list[Path]:
    """Delete all but the newest; returns the deleted."""
    deleted = []
    for path in list_backups(folder, stem)[keep:]:
        try:
            path.unlink()
        except OSError as error:
            log.warning("The old backup %s cannot be deleted (%s).", path, error.strerror)
            continue
        deleted.append(path)
    return deleted


def copy_sqlite(connection: sqlite3.Connection, target: Path) -> Published:
    """Write a copy of this moment that is whole and can be opened, while others go on working.

    A plain copy of the file would miss what still lies in the -wal file.

    Raises:
        LibraryError: when the target exists or cannot be written, or the copy is not sound.
        sqlite3.Error: when the database cannot be read.
    """
    make_folder(target.parent)
    with part_file(target) as part:
        connection.execute("VACUUM INTO ?", (os.fspath(part),))
        if not is_sound(part):
            raise LibraryError(f"The copy of the library at {target} is not sound; check the disk and try again.")
        return publish(part, target)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file that nobody writes to.

    Raises:
        UnavailableError: when it cannot be read, or the disk is full.
    """
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise UnavailableError(
            f"{source} cannot be copied to {target.parent} ({error.strerror}); free some space or change the rights."
        ) from error


def overwrite_sqlite(source: Path, target: Path) -> None:
    """Put what is in one database in the place of all that is in another, in one transaction.

    Programs that have the other one open see the new content from their next transaction on. Row by row, 100,000 clips
    would hold the write lock for a minute.

    Raises:
        sqlite3.Error: when either cannot be read or written.
    """
    with closing(sqlite3.connect(source)) as new, closing(sqlite3.connect(target, timeout=BUSY_TIMEOUT_S)) as old:
        # The copy itself would wait for a lock for ever.
        old.execute("BEGIN IMMEDIATE")
        old.rollback()
        new.backup(old)


def make_folder(folder: Path) -> None:
    """Raises:
    LibraryError: when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(f"The folder {folder} cannot be made ({error.strerror}); choose another one.") from error


def is_sound(path: Path) -> bool:
    """Whether a file is a library that can be read from end to end."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            return bool(found == "ok" and connection.execute("SELECT count(*) FROM alembic_version").fetchone()[0])
    except sqlite3.Error:
        return False


def recover(path: Path, folder: Path, *, is_damaged: Exception) -> str | None:
    """Move a damaged database aside and put the newest good backup in its place.

    Returns:
        what was done, in a sentence; None when another process has just done it.

    Raises:
        LibraryError: `is_damaged`, when there is no good backup; then nothing is touched.
    """
    with _alone(path):
        if is_sound_now(path):
            return None
        backup = next((found for found in list_backups(folder, path.stem) if is_sound(found)), None)
        if backup is None:
            raise is_damaged
        with part_file(path) as part:
            copy_file(backup, part)
            aside = _set_aside(path)
            publish(part, path, replace=True)
    note = f"{path} was damaged and lies at {aside} now; the backup {backup.name} was put in its place."
    log.warning("%s", note)
    return note


def is_sound_now(path: Path) -> bool:
    """As `is_sound`, of a database that others may be writing to."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.Error:
        return False


def _set_aside(path: Path) -> Path:
    """Keep the damaged file under another name, too. It stays where it is until the good one takes its place: a program
    that starts in between would find nothing there, and make an empty library.
    """
    aside = free_path(path.parent, f"{path.name}.damaged-{datetime.now():%Y%m%d_%H%M%S}")
    try:
        try:
            os.link(path, aside)
        except OSError:  # a file system without links
            shutil.copyfile(path, aside)
        for suffix in ("-wal", "-shm"):
            # They belong to the damaged file; beside another one SQLite would read them into it.
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise UnavailableError(
            f"{path} is damaged and cannot be moved aside ({error.strerror}); close the programs that use it."
        ) from error
    return aside


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two programs that start at once must not both move the database aside: the second would move the good one."""
    lock = path.with_name(f"{path.name}.recovery")
    end = time.monotonic() + _RECOVERY_WAIT_S
    while True:
        try:
            with lock.open("x") as file:
                file.write(process_owner())
            break
        except FileExistsError:
            with suppress(OSError):
                if is_dead(lock.read_text()):
                    lock.unlink(missing_ok=True)
                    continue
        except OSError as error:
            raise UnavailableError(
                f"{path} is damaged, and its folder cannot be written ({error.strerror}); allow that and start again."
            ) from error
        if time.monotonic() > end:
            raise UnavailableError(f"{path} is being recovered by another program; wait for it, or delete {lock}.")
        time.sleep(0.1)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
