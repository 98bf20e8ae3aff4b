"""What a client of the server may name: files and folders of this computer only when it sits at this computer."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings

LONGEST_PLACE, LONGEST_NAME = 1000, 255


def check_stream_of_client(url: str, client_host: str | None, settings: Settings) -> None:
    """Refuse a path from another computer, unless the settings allow it.

    Args:
        url: what the client gave; empty is left to the next check.
        client_host: the address it came from; None counts as another computer.
        settings: `remote_local_paths` allows it.

    Raises:
        InputError: for anything but a web address.
    """
    if settings.remote_local_paths or _is_this_computer(client_host):
        return
    if url.strip() and not url.strip().lower().startswith(("http://", "https://")):
        raise InputError(
            "Files are read only for pages opened on the computer that runs this server; paste a web address, "
            "or set REMOTE_LOCAL_PATHS there."
        )


def place_of_client(place: str, client_host: str | None, settings: Settings, *, below: Path) -> Path | None:
    """Where a client may have something written.

    Args:
        place: absolute, or below the folder; empty for that folder.
        below: a folder of the settings.

    Returns:
        the path; None for an empty one.

    Raises:
        InputError: when it leads out of the folder, or is absolute and comes from another computer.
    """
    if not place.strip():
        return None
    if "\0" in place or len(os.fsencode(place)) > LONGEST_PLACE:
        raise InputError("This is no name for a folder; choose another one.")
    path = Path(place)
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in path.parts):
        raise InputError(f"A folder's name has at most {LONGEST_NAME} bytes; choose a shorter one.")
    if path.is_absolute():
        if not (settings.remote_local_paths or _is_this_computer(client_host)):
            raise InputError(
                "Only pages opened on the computer that runs this server choose any folder of it; give one without its "
                "whole path, or set REMOTE_LOCAL_PATHS there."
            )
        return path
    if ".." in path.parts or path.drive or path.root:
        raise InputError("A folder without its whole path has no .. in it; choose another one.")
    return Path(os.path.abspath(below / path))


def _is_this_computer(host: str | None) -> bool:
    try:
        return ipaddress.ip_address((host or "").partition("%")[0]).is_loopback
    except ValueError:
        return False
