"""The versions of a model on disk: `<n>.skops`, and `<n>.card.json`, which is written last and makes it count."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.learning.errors import ModelError
from kick_clip_generator.library.files import check_writable, part_file, publish

CARD_FORMAT = 1

_CARD = re.compile(r"(\d{1,9})\.card\.json")

# Far above any model we write; nothing larger is read into memory.
_LARGEST_FILE_BYTES = 256 * 1024 * 1024


def model_path(folder: Path, n: int) -> Path:
    """The model file of version `n`."""
    return folder / f"{n}.skops"


def card_path(folder: Path, n: int) -> Path:
    """The card of version `n`: when and on what it was trained, how it was judged, and the checksum of its file."""
    return folder / f"{n}.card.json"


def numbers(folder: Path) -> list[int]:
    """The versions that have a card, ascending; none when the folder is missing."""
    if not folder.is_dir():
        return []
    return sorted(int(found[1]) for path in folder.iterdir() if (found := _CARD.fullmatch(path.name)))


def write_version(folder: Path, n: int, data: bytes, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write a model file and, last, its card.

    Args:
        folder: made when it is missing.
        data: of the model file.
        about: what the card says; its format and the checksum of `data` are added.

    Returns:
        The card.

    Raises:
        ModelError: when the version exists.
        LibraryError: when the folder cannot be written.
    """
    if card_path(folder, n).exists():
        raise ModelError(f"Version {n} of the model exists already in {folder}; choose the next number.")
    card = {"format": CARD_FORMAT, **about, "sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps(card, indent=2, allow_nan=False)
    check_writable(folder)
    try:
        with part_file(model_path(folder, n)) as part:
            part.write_bytes(data)
            # A model file without a card is what a stopped run left.
            publish(part, model_path(folder, n), replace=True)
        with part_file(card_path(folder, n)) as part:
            part.write_text(text, encoding="utf-8")
            publish(part, card_path(folder, n))
    except OSError as error:
        raise LibraryError(f"The model cannot be written to {folder} ({error.strerror}); check the disk.") from error
    return card


def read_version(folder: Path, n: int) -> tuple[Mapping[str, Any], bytes]:
    """The card and the model file of a version, when they belong together.

    Raises:
        ModelError: when one is missing, cannot be read, or is not what was written.
    """
    try:
        card = _checked(json.loads(_read_limited(card_path(folder, n))))
        data = _read_limited(model_path(folder, n))
    except FileNotFoundError as error:
        raise ModelError(f"{error.filename} is not there.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{error}.") from error
    if hashlib.sha256(data).hexdigest() != card["sha256"]:
        raise ModelError("Its file is not the one that was saved.")
    return card, data


def _checked(card: Any) -> Mapping[str, Any]:
    """The card, when it has what loading reads; cards lie on disk and may come from strangers.

    Raises:
        ModelError: when it has not.
    """
    expected: dict[str, Any] = {
        "number": int,
        "n_estimators": int,
        "learning_rate": (float, int),
        "features": dict,
        "scikit_learn": str,
        "sha256": str,
        "trained_until": (float, int, type(None)),
    }
    if not isinstance(card, dict) or card.get("format") != CARD_FORMAT:
        raise ModelError(f"Its card is not of format {CARD_FORMAT}.")
    for name, types in expected.items():
        if not isinstance(card.get(name, ...), types):
            raise ModelError(f"Its card has no valid {name!r}.")
    if not all(
        isinstance(names, list) and all(isinstance(n, str) for n in names) for names in card["features"].values()
    ):
        raise ModelError("Its card has no valid 'features'.")
    return card


def _read_limited(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        OSError: when it cannot be read.
        ModelError: when it is larger than a model can be.
    """
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise ModelError(f"{path.name} is larger than a model can be.")
    return path.read_bytes()
