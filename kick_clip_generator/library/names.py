"""A file name for any title: safe on Linux, macOS and Windows, readable, and its own."""

from __future__ import annotations

import hashlib
import re
import unicodedata

MIN_BYTES = 24

# Separators, and what Windows does not allow in a name.
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
# Windows gives these to devices, with any extension ("NUL.txt") and with the superscript digits.
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_JOINERS = "\u200c\u200d"
_EDGES = re.compile(r"^[\s._~-]+|[\s._~-]+$")
_REGIONAL_END = re.compile("[\U0001f1e6-\U0001f1ff]*$")


def safe_name(text: str, *, max_bytes: int = 80) -> str:
    """A file name (without extension: add that afterwards) for a text that may hold anything.

    What a file system or a file list would choke on is replaced or dropped: separators, control and invisible
    characters, right-to-left overrides, leading dots and dashes, trailing dots and spaces, device names of Windows. A
    name that had to change ends in a hash of the whole text, so that two titles do not become one.

    Args:
        max_bytes: longest name in UTF-8, at least 24; what a reader sees as one character is not cut in two.

    Returns:
        NFC; never empty. A returned name is returned unchanged when given again.

    Raises:
        ValueError: when `max_bytes` is less than 24.
    """
    if max_bytes < MIN_BYTES:
        raise ValueError(f"expected max_bytes of at least {MIN_BYTES}, got {max_bytes}")
    clean = "".join(_allowed(character) for character in unicodedata.normalize("NFC", text))
    clean = unicodedata.normalize("NFC", _FORBIDDEN.sub("_", clean))
    if clean == text and len(clean.encode()) <= max_bytes and _stands_alone(clean):
        return clean
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    stem = _EDGES.sub("", _cut(_EDGES.sub("", clean), max_bytes - len(digest) - 2))
    if not stem:
        return f"untitled_{digest}"
    if not _stands_alone(stem):
        stem = f"_{stem}"
    return f"{stem}_{digest}"


def _allowed(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    if category == "Cs":
        return "_"
    # Cf holds the overrides, marks and blanks that make a name look like another; emoji and some scripts need joiners.
    return "" if category == "Cf" and character not in _JOINERS else character


def _stands_alone(name: str) -> bool:
    """Whether a name of allowed characters is also allowed as a whole."""
    return bool(
        name.strip()
        and name == name.strip()
        and name[0] not in ".-~"
        and name[-1] not in "."
        and not _RESERVED.fullmatch(name.partition(".")[0].strip())
    )


def _cut(text: str, max_bytes: int) -> str:
    """The longest beginning of at most `max_bytes` that ends between two graphemes."""
    size = 0
    end = 0
    for index, character in enumerate(text):
        if _may_cut(text, index):
            end = index
        size += len(character.encode())
        if size > max_bytes:
            return text[:end]
    return text


def _may_cut(text: str, index: int) -> bool:
    """Whether a reader sees a boundary before `text[index]`: the part of UAX #29 that titles meet."""
    if index == 0:
        return True
    character, before = text[index], text[index - 1]
    if unicodedata.category(character).startswith("M") or character in _JOINERS or before == "\u200d":
        return False
    if "\U0001f3fb" <= character <= "\U0001f3ff":  # skin tones
        return False
    if "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7fb":  # vowels and tails of a Hangul syllable
        return False
    if "\U0001f1e6" <= character <= "\U0001f1ff":  # two of these letters make a flag
        return len(_REGIONAL_END.findall(text[:index])[0]) % 2 == 0
    return True
