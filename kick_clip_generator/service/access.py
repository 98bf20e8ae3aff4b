"""What a client of the server may name as a stream: files of this computer only when it sits at this computer."""

from __future__ import annotations

import ipaddress

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings


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


def _is_this_computer(host: str | None) -> bool:
    try:
        return ipaddress.ip_address((host or "").partition("%")[0]).is_loopback
    except ValueError:
        return False
