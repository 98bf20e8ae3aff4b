"""The server's secret key: from the settings, else made once and kept in the library, which all machines share."""

from __future__ import annotations

import secrets

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library

_KEPT_AS = "secret_key"


def secret_key(library: Library, settings: Settings) -> str:
    """What signs queue messages and goes into the hashes of tokens.

    Raises:
        LibraryError: when none is kept yet and the library cannot be written.
    """
    chosen = settings.secret_key or settings.flask_secret_key
    if chosen:
        return chosen
    kept = library.kept_value(_KEPT_AS) or library.keep_first(_KEPT_AS, {"key": secrets.token_urlsafe(32)})
    return str(kept["key"])
