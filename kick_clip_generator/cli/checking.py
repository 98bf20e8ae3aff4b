"""Behind the list of clips: each is decoded whole, with a progress line of its own, while one cares to wait."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kick_clip_generator.cli.bar import ProgressBar
from kick_clip_generator.cli.table import printable
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.verify import verify


def check_clips(library: Library, settings: Settings, clip_ids: Sequence[int], *, quiet: bool) -> None:
    """Check clips that are finished and were listed. Ctrl-C ends it; a later run checks those that are left.

    Raises:
        LibraryError: when the library fails.
    """
    sys.stdout.flush()
    try:
        with ProgressBar(quiet=quiet) as bar:
            verdicts = verify(library, settings, clip_ids, progress=bar.show)
    except KeyboardInterrupt:
        print("\nChecking was stopped; the clips are finished, and the same command checks the rest.", file=sys.stderr)
        return
    for verdict in verdicts:
        if verdict.note:
            print(f"{printable(verdict.name)}: {printable(verdict.note)}", file=sys.stderr)
    sound = sum(verdict.outcome in ("sound", "remade") for verdict in verdicts)
    if sound and not quiet:
        print(f"Checked: {sound} of {len(verdicts)} {'clip is' if sound == 1 else 'clips are'} sound.", file=sys.stderr)
