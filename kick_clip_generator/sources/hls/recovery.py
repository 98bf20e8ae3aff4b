"""What a segment that could not be had means: new addresses are needed, it alone is lost, or everything is."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.records import Rendition
from kick_clip_generator.sources.hls.listing import load_playlist
from kick_clip_generator.sources.net.http import HttpClient

log = logging.getLogger(__name__)

Renew = Callable[[], Rendition | None]
"""Resolves the source again; None when nothing new can be had."""

# The server has an answer, and it is no: asking for the same segment again will not help.
_LOST_FOR_GOOD = frozenset({"not_found", "gap", "not_media", "too_large", "refused", "redirects", "no_range", "failed"})
# How a playlist whose address has expired may be answered.
_EXPIRED = frozenset({"blocked", "not_found"})
# So many in a row that do not arrive, though the playlist can be had, and the network is no use.
MAX_LOST_IN_A_ROW = 5
# Whether a playlist can be had, its first bytes tell.
PROBE_BYTES = 1024
SAME_LENGTH_S = 1.0


class Recovery:
    """The playlist of a recording, and what to do when its segments cannot be had.

    Args:
        client: does the requests; closed by its owner.
        rendition: whose playlist is read.
        renew: see `Renew`; None where addresses do not expire.

    Raises:
        SourceError: when the playlist cannot be had.
    """

    def __init__(self, client: HttpClient, rendition: Rendition, renew: Renew | None) -> None:
        self._client = client
        self._url = rendition.url
        self._renew = renew
        self._lost_in_a_row = 0
        # Renewed once since a segment was had: a second time would change nothing.
        self._renewed = False
        try:
            self.playlist = load_playlist(client, self._url)
        except SourceError as error:
            fresh = renew() if renew is not None and error.outcome in _EXPIRED else None
            if fresh is None:
                raise
            client.trust(fresh)
            self._url = fresh.url
            self.playlist = load_playlist(client, self._url)

    def succeeded(self) -> None:
        """A segment was had."""
        self._lost_in_a_row = 0
        self._renewed = False

    def failed(self, error: SourceError, is_next_there: Callable[[], bool | None]) -> bool:
        """Judge a segment that could not be had.

        Args:
            error: why not.
            is_next_there: whether the segment behind it can be had, None when there is none; asked only when that
                decides.

        Returns:
            True when `playlist` has new addresses, with which to try again; False when this segment is lost.

        Raises:
            SourceLost: when nothing more can be had now.
        """
        if error.outcome == "blocked":
            if not self._renewed and self._renew_playlist():
                return True
            next_there = is_next_there()
            if next_there is False or (next_there is None and not self._is_network_alive()):
                raise _lost(error)
            # Storage services refuse what is not there, too.
            return False
        if error.outcome == "not_found" and self._renew is not None and not self._renewed:
            # Most often it alone is gone, but some servers answer so when addresses have expired.
            return not is_next_there() and self._renew_playlist()
        if error.outcome in _LOST_FOR_GOOD:
            return False
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= MAX_LOST_IN_A_ROW or not self._is_network_alive():
            raise _lost(error)
        return False

    def _is_network_alive(self) -> bool:
        try:
            self._client.peek(self._url, PROBE_BYTES)
        except SourceError as error:
            log.info("The playlist cannot be had either: %s", error)
            return False
        return True

    def _renew_playlist(self) -> bool:
        rendition = self._renew() if self._renew is not None else None
        if rendition is None:
            return False
        log.info("The addresses of the recording have expired; it was looked up again.")
        self._client.trust(rendition)
        try:
            playlist = load_playlist(self._client, rendition.url)
        except SourceError as error:
            log.warning("Its new addresses do not work: %s", error)
            return False
        old = self.playlist
        if len(playlist.segments) != len(old.segments) or abs(playlist.duration_s - old.duration_s) > SAME_LENGTH_S:
            raise SourceLost(
                f"The recording changed while it was read (from {old.duration_s:.0f} to {playlist.duration_s:.0f} s); "
                f"start it again.",
                outcome="changed",
            )
        self._url = rendition.url
        self.playlist = playlist
        self._renewed = True
        return True


def _lost(error: SourceError) -> SourceLost:
    return SourceLost(
        f"{str(error).rstrip('.')}, and nothing more can be had now.",
        outcome=error.outcome,
        retryable=True,
    )
