"""A folder for the media of one run, which goes with the run; what a killed run left goes at the next start."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kick_clip_generator.library.files import check_writable
from kick_clip_generator.library.processes import is_alive, this_process

PREFIX = "run-"


@contextmanager
def workspace(temp_dir: Path) -> Iterator[Path]:
    """A new folder under `temp_dir`, named after this process, deleted at the end.

    Raises:
        LibraryError: when `temp_dir` cannot be written.
    """
    temp_dir.mkdir(parents=True, exist_ok=True)
    check_writable(temp_dir)
    sweep(temp_dir)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{this_process()}-", dir=temp_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(temp_dir: Path) -> None:
    """Delete the folders of runs whose process is gone."""
    for folder in temp_dir.glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).rsplit("-", 1)[0]
        if not is_alive(owner):
            shutil.rmtree(folder, ignore_errors=True)
