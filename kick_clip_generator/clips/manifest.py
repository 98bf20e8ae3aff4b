"""The JSON that lies beside the clips: what was found, why, and which file shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.records import Highlight
from kick_clip_generator.library.files import part_file, publish


def highlights_document(
    *,
    audio: Sequence[Highlight],
    video: Sequence[Highlight],
    merged: Sequence[Highlight],
    speech: Sequence[Highlight] = (),
    chat: Sequence[Highlight] = (),
    about: Mapping[str, Any] | None = None,
    files: Sequence[tuple[Highlight, str]] = (),
) -> dict[str, Any]:
    """The document as users script against it.

    Args:
        audio, video, speech, chat, merged: best first; nothing is said of speech and chat that found none.
        about: facts of the run (source, title, cut, ...), put first.
        files: highlights that were cut and the names of their files; other highlights of the same moment name them too.
    """

    rarer = {"speech": speech, "chat": chat}

    def entry(highlight: Highlight) -> dict[str, Any]:
        data = highlight.to_dict()
        file = next(
            (name for shown, name in files if shown is highlight or shown.event.same_moment(highlight.event)), None
        )
        return {**data, "file": file} if file else data

    return {
        **(about or {}),
        "audio_highlights": [entry(h) for h in audio],
        "video_highlights": [entry(h) for h in video],
        **{f"{kind}_highlights": [entry(h) for h in found] for kind, found in rarer.items() if found},
        "highlights": [entry(h) for h in merged],
    }


def manifest_name(now: datetime) -> str:
    """`highlights_<YYYYMMDD_HHMMSS>.json`."""
    return f"highlights_{now:%Y%m%d_%H%M%S}.json"


def write_json(path: Path, document: Mapping[str, Any] | Sequence[Any]) -> Path:
    """Write a JSON file whole or not at all.

    Raises:
        LibraryError: when the folder cannot be written.
    """
    return write_text(path, [json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)])


def write_text(path: Path, pieces: Iterable[str]) -> Path:
    """Write a text file in UTF-8 whole or not at all.

    Args:
        pieces: of the text, one after the other, so that a large one is never in memory as a whole.

    Raises:
        LibraryError: when the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part_file(path) as part:
            with part.open("wb") as file:
                for piece in pieces:
                    # Undecodable file names have no UTF-8.
                    file.write(piece.encode("utf-8", "replace"))
            publish(part, path, replace=True)
    except OSError as error:
        raise LibraryError(
            f"{path} cannot be written ({error.strerror or error}); choose another place or free some space."
        ) from error
    return path
