"""A folder for the media of one run, which goes with the run; what a killed run left goes at the next start."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kick_clip_generator.library.files import check_writable
from kick_clip_generator.library.owner import process_start, start_is_dead

PREFIX = "run"

# No run goes a day without a new window; every window changes its folder.
OLD_S = 86400.0


@contextmanager
def workspace(temp_dir: Path) -> Iterator[Path]:
    """A new folder under `temp_dir`, named after this process, deleted at the end.

    Raises:
        LibraryError: when `temp_dir` cannot be written.
    """
    check_writable(temp_dir)
    sweep(temp_dir)
    pid = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}.{pid}.{process_start(pid)}.", dir=temp_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(temp_dir: Path) -> None:
    """Delete the folders of runs whose process is gone; of those that cannot be seen from here, the old ones."""
    for folder in temp_dir.glob(f"{PREFIX}.*"):
        parts = folder.name.split(".")
        if len(parts) != 4 or not parts[1].isdigit():
            continue
        try:
            old = time.time() - folder.stat().st_mtime > OLD_S
        except FileNotFoundError:
            continue
        if old or start_is_dead(int(parts[1]), parts[2]):
            shutil.rmtree(folder, ignore_errors=True)
