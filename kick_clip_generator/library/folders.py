"""The folders of the clips, looked through: rows follow their files, `keep/` and `drop/` are labels, `drop/` empties.

It also mends what a kill left between a file and its row: new ends whose file is there, a move that was half done.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kick_clip_generator.core.errors import LibraryError, NotFoundError
from kick_clip_generator.library.files import canonical, sha256_of
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.owner import is_dead
from kick_clip_generator.library.places import folder_of, label_at
from kick_clip_generator.library.records import FileNote, Label, NewEnds, Published
from kick_clip_generator.library.thumbnails import delete_thumbnail, move_thumbnail

log = logging.getLogger(__name__)

LABELS: Sequence[Label] = ("keep", "drop")
DAY_S = 86400.0


@dataclass(slots=True)
class Scan:
    """What a scan found; ids of clips.

    Attributes:
        followed: their files had been moved or renamed.
        kept, dropped, taken_back: of those, the ones whose label changed with that.
        mended: new ends that were published but not yet noted.
        emptied: dropped long ago, deleted now.
        missing: their files were not found.
        adopted: published by a process that was killed before it could record them.
    """

    followed: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    taken_back: list[int] = field(default_factory=list)
    mended: list[int] = field(default_factory=list)
    emptied: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    adopted: list[int] = field(default_factory=list)


def scan_folders(library: Library, clips_dir: Path, *, drop_days: float) -> Scan:
    """Look at the file of each clip, and search for those that are gone.

    A file that was moved or renamed is known by its size and its SHA-256; it is looked for in the folders of all clips,
    their `keep/` and `drop/`, and the folders in `clips_dir`. Links are not followed. Files that the library does not
    know are left alone.

    Args:
        drop_days: dropped clips are deleted after so many days; 0: never.

    Raises:
        LibraryError: when the library fails; folders that cannot be read are left out.
    """
    scan = Scan()
    _adopt(library, scan)
    notes = library.file_notes()
    lost: list[FileNote] = []
    for note in notes:
        facts = _facts(note.path)
        if facts is None:
            lost.append(note)
        elif _is_recorded(facts, note):
            if facts.st_nlink > 1 and _finish_move(library, note, facts, scan):
                continue
            if label_at(note.path, note.home) not in (None, note.label):
                _place(library, note, note.path, facts, note.home, scan)
        elif note.announced is not None and _is_file(note.path, facts, note.announced.file):
            _finish_ends(library, note, note.announced, note.path, facts, scan)
    if lost:
        _follow(library, lost, {note.path for note in notes}, _homes(notes, clips_dir), scan)
    flagged = {note.id for note in notes if note.missing}
    missing = set(scan.missing)
    if flagged != missing:
        library.set_missing(missing - flagged, flagged - missing)
    if drop_days > 0:
        _empty(library, time.time() - drop_days * DAY_S, scan)
    return scan


def _adopt(library: Library, scan: Scan) -> None:
    for announced in library.announced_clips():
        if not is_dead(announced.owner) and time.time() - announced.at < DAY_S:
            continue
        file = announced.record.file
        facts = _facts(file.path)
        try:
            if facts is not None and _is_file(file.path, facts, file):
                scan.adopted.append(library.adopt_clip(announced.record))
            else:
                library.forget_announced(file.path)
        except NotFoundError as error:
            log.warning("%s is a clip of no source: %s", file.path, error)
            library.forget_announced(file.path)


def _facts(path: Path) -> os.stat_result | None:
    """Of a regular file; None for anything else."""
    try:
        facts = path.lstat()
    except (OSError, ValueError):
        return None
    return facts if stat.S_ISREG(facts.st_mode) else None


def _is_recorded(facts: os.stat_result, note: FileNote) -> bool:
    return facts.st_size == note.size and facts.st_mtime_ns == note.mtime_ns


def _is_file(path: Path, facts: os.stat_result, file: Published) -> bool:
    try:
        return facts.st_size == file.size and sha256_of(path) == file.sha256
    except OSError:
        return False


def _finish_move(library: Library, note: FileNote, facts: os.stat_result, scan: Scan) -> bool:
    """A kill in the middle of a move leaves the file under both names, which are one file."""
    for label in LABELS:
        target = folder_of(note.home, label) / note.path.name
        there = _facts(target)
        if target != note.path and there is not None and os.path.samestat(there, facts):
            try:
                note.path.unlink()
            except OSError as error:
                log.warning("%s cannot be deleted (%s), although it lies in %s.", note.path, error.strerror, label)
            else:
                return _place(library, note, target, there, note.home, scan)
    return False


def _finish_ends(
    library: Library, note: FileNote, ends: NewEnds, path: Path, facts: os.stat_result, scan: Scan
) -> None:
    file = Published(path, ends.file.size, ends.file.sha256, facts.st_mtime_ns)
    try:
        library.finish_ends(note.id, replace(ends, file=file))
    except LibraryError as error:
        log.warning("%s", error)
        return
    # It shows the old ends; no thumbnail is better than one of something else.
    delete_thumbnail(note.path)
    scan.mended.append(note.id)


def _homes(notes: Sequence[FileNote], clips_dir: Path) -> list[Path]:
    """Where to look, each once: the homes first, for `output_clips/keep` may be one."""
    roots = [canonical(clips_dir / "_").parent]
    return list(dict.fromkeys([*(note.home for note in notes), *roots, *(f for root in roots for f in _folders(root))]))


def _folders(root: Path) -> Iterator[Path]:
    for entry in _entries(root):
        try:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield Path(entry.path)
        except OSError:
            continue


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        if folder.is_symlink():
            return []
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (OSError, ValueError):
        return []


def _follow(library: Library, lost: Sequence[FileNote], known: set[Path], homes: Iterable[Path], scan: Scan) -> None:
    """Find the files of the lost by their content."""
    wanted = {note.size for note in lost} | {note.announced.file.size for note in lost if note.announced}
    strays = _Strays(homes, known, wanted)
    for note in lost:
        for file, ends in ((Published(note.path, note.size, note.sha256, 0), None), _announced(note)):
            found = strays.take(file) if file is not None else None
            if found is None:
                continue
            path, home, facts = found
            if ends is not None:
                _finish_ends(library, note, ends, path, facts, scan)
            _place(library, note, path, facts, home, scan, ends=ends)
            break
        else:
            scan.missing.append(note.id)


def _announced(note: FileNote) -> tuple[Published | None, NewEnds | None]:
    return (note.announced.file, note.announced) if note.announced is not None else (None, None)


class _Strays:
    """Files that no row names, of some sizes; each is given away once."""

    def __init__(self, homes: Iterable[Path], known: set[Path], sizes: set[int]) -> None:
        self._digests: dict[Path, str] = {}
        self._files: dict[Path, tuple[Path, os.stat_result]] = {}
        for home in homes:
            for folder in (home, *(folder_of(home, label) for label in LABELS)):
                for entry in _entries(folder):
                    path = Path(entry.path)
                    if entry.name.startswith(".") or path in known or path in self._files:
                        continue
                    facts = _facts(path)
                    if facts is not None and facts.st_size in sizes:
                        self._files[path] = (home, facts)

    def take(self, file: Published) -> tuple[Path, Path, os.stat_result] | None:
        """A file with that content, best under the same name: its path, its home, its facts."""
        fitting = [path for path, (_, facts) in self._files.items() if facts.st_size == file.size]
        for path in sorted(fitting, key=lambda path: path.name != file.path.name):
            if self._digest(path) == file.sha256:
                home, facts = self._files.pop(path)
                return path, home, facts
        return None

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            try:
                self._digests[path] = sha256_of(path)
            except OSError:
                self._digests[path] = ""
        return self._digests[path]


def _place(
    library: Library,
    note: FileNote,
    path: Path,
    facts: os.stat_result,
    home: Path,
    scan: Scan,
    *,
    ends: NewEnds | None = None,
) -> bool:
    """Let a row follow its file."""
    label = label_at(path, home)
    if label is None and label_at(note.path, note.home) is None:
        # Renamed, or moved to another folder: that says nothing of a label which it got otherwise.
        label = note.label
    content = ends.file if ends is not None else Published(path, note.size, note.sha256, 0)
    file = Published(path, content.size, content.sha256, facts.st_mtime_ns)
    try:
        library.place_clip(note.id, file, home, label)
    except LibraryError as error:
        log.warning("%s", error)
        return False
    move_thumbnail(note.path, path)
    scan.followed.append(note.id)
    if label != note.label:
        {"keep": scan.kept, "drop": scan.dropped, None: scan.taken_back}[label].append(note.id)
    return True


def _empty(library: Library, before: float, scan: Scan) -> None:
    """Delete what was dropped long ago. A file that was changed since, or lies elsewhere, is somebody's own."""
    for note in library.file_notes():
        if note.dropped_at is None or note.dropped_at >= before:
            continue
        facts = _facts(note.path)
        if facts is not None:
            if label_at(note.path, note.home) != "drop" or not _is_recorded(facts, note):
                continue
            try:
                note.path.unlink()
            except OSError as error:
                log.warning("%s was dropped long ago and cannot be deleted (%s).", note.path, error.strerror)
                continue
            delete_thumbnail(note.path)
        elif not note.home.is_dir():
            continue  # a disk that is not there now
        library.forget_clip(note.id)
        scan.emptied.append(note.id)
