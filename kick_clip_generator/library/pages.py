"""Markers of pages: where the next page of a list begins, as text that a browser can carry."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from kick_clip_generator.core.errors import InputError

MAX_PAGE = 500


def check_limit(limit: int) -> None:
    """Raises:
    InputError: when a page of so many items is not given.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InputError(f"limit={limit} is not valid: it should be 1 to {MAX_PAGE}.")


def make_marker(order: str, key: Sequence[Any]) -> str:
    """A marker for the item with this key, in a list in this order."""
    text = json.dumps([order, *key])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_marker(marker: str, order: str, kinds: Sequence[type]) -> tuple[Any, ...]:
    """The key in a marker.

    Args:
        kinds: what the values of a key of this order are.

    Raises:
        InputError: when it is none of this order.
    """
    try:
        found = json.loads(base64.urlsafe_b64decode(marker + "=" * (-len(marker) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if isinstance(found, list) and len(found) == len(kinds) + 1 and found[0] == order:
        key = [_as(kind, value) for kind, value in zip(kinds, found[1:], strict=True)]
        if all(type(value) is kind and _fits(value) for value, kind in zip(key, kinds, strict=True)):
            return tuple(key)
    raise InputError("This page marker does not fit the list any more; start again at the first page.")


def _as(kind: type, value: Any) -> Any:
    return float(value) if kind is float and type(value) is int and abs(value) < 2**53 else value


def _fits(value: Any) -> bool:
    """Whether a database takes it; a marker can be made by hand."""
    if type(value) is int:
        return bool(-(2**31) <= value < 2**31)
    return bool(value == value) if type(value) is float else "\0" not in str(value)
