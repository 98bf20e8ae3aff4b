"""The thread that follows a live playlist, and decides when a stream stands still, moved or has ended.

What counts is that media grow, not that requests succeed: a stalled stream's playlist is served as if nothing were
wrong. Reloading as RFC 8216, 6.3.4 says: after a target duration, after half of it where nothing was new.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from kick_clip_generator.core.errors import Cancelled, SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.hls.playlist import MediaPlaylist, parse_media
from kick_clip_generator.sources.hls.tags import MAX_PLAYLIST_BYTES
from kick_clip_generator.sources.live.timeline import LiveTimeline
from kick_clip_generator.sources.net.http import HttpClient

log = logging.getLogger(__name__)

Renew = Callable[[], Rendition | None]

# Bounds of a wait whatever target duration a playlist claims, and what is taken where it claims none.
MIN_RELOAD_S = 0.5
MAX_RELOAD_S = 10.0
USUAL_TARGET_S = 4.0
# A playlist of many hours takes time to read: at most this share of one core.
READING_SHARE = 0.1
# Looking up a channel again costs requests to a platform that counts them.
LEAST_RENEWAL_S = 6.0
# Times that a stream may be looked up without being found before it has ended.
LOOKS_BEFORE_THE_END = 2
# So many times the stall limit without any answer, and the network is gone.
STALLS_BEFORE_LOST = 4

OFFLINE = frozenset({"offline", "ended", "gone", "not_found"})
# The server is there, the playlist is not.
MISSING = frozenset({"not_found", "gone"})
REFUSED = frozenset({"blocked", "login", *MISSING})


class LiveFollower:
    """Keeps a timeline up to date.

    Args:
        client: does the requests; closed by its owner.
        rendition: whose playlist is followed.
        settings: `live_stall`.
        timeline: gets what is new, and in the end `finish`.
        renew: resolves the stream again; None where that is not possible.
        cancel: ends the thread.
    """

    def __init__(
        self,
        client: HttpClient,
        rendition: Rendition,
        settings: Settings,
        timeline: LiveTimeline,
        *,
        renew: Renew | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        self._client = client
        self._url = rendition.url
        self._stall_s = settings.live_stall
        self._timeline = timeline
        self._renew = renew
        self._cancel = cancel
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="live-playlist", daemon=True)
        self._moved = False
        self._failure: SourceError | None = None
        self._target_s = USUAL_TARGET_S
        self._unfound = 0
        self._answer = "unknown"
        self._refused = False
        now = time.monotonic()
        self._grown_at = self._answered_at = now
        self._renewed_at = now - LEAST_RENEWAL_S

    @property
    def answered_at(self) -> float:
        """When the playlist was had last, by `time.monotonic`."""
        return self._answered_at

    def open(self) -> None:
        """Read the playlist for the first time, then go on in a thread.

        Raises:
            SourceError: when it cannot be read.
        """
        self._timeline.extend(self._load())
        self._thread.start()

    def refused(self) -> None:
        """Have the stream looked up now: its segments are refused. Called by other threads."""
        self._refused = True
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    def _run(self) -> None:
        try:
            while not (self._closed or self._timeline.over):
                self._wake.wait(self._step())
                self._wake.clear()
        except Cancelled:
            # Whoever waits for media looks at the same token.
            return
        except Exception as error:  # whoever waits for media must learn of it
            log.exception("Following the live stream failed")
            self._timeline.finish(SourceError(f"The live stream cannot be followed: {error!r}.", outcome="failed"))

    def _step(self) -> float:
        """One look at the playlist; returns how long to wait for the next."""
        began = time.monotonic()
        if self._refused:
            self._refused = False
            self._look_up()
        grown = self._reload()
        now = time.monotonic()
        if grown:
            self._grown_at = now
            self._unfound = 0
        elif now - self._grown_at >= self._stall_s:
            self._grown_at = now
            self._count(self._look_up())
        elif self._failure is not None and self._failure.outcome in REFUSED:
            self._look_up()
        if self._failure is not None and now - self._answered_at >= STALLS_BEFORE_LOST * self._stall_s:
            message = f"The live stream has not answered for {now - self._answered_at:.0f} s: {self._failure}"
            self._timeline.finish(SourceLost(message, outcome=self._failure.outcome, retryable=True))
        target_s = self._target_s if grown else self._target_s / 2
        wait_s = min(max(target_s, MIN_RELOAD_S), MAX_RELOAD_S)
        return max(wait_s - (now - began), 0.0)

    def _reload(self) -> bool:
        """Fetch the playlist; returns whether it had anything new."""
        try:
            grown = self._timeline.extend(self._load(), moved=self._moved)
            self._moved = self._moved and not grown
            return grown
        except SourceError as error:
            if self._failure is None:
                log.warning("The live playlist cannot be had; trying on. %s", error)
            self._failure = error
            return False

    def _load(self) -> MediaPlaylist:
        reply = self._client.get(self._url, cap=MAX_PLAYLIST_BYTES)
        began = time.thread_time()
        playlist = parse_media(reply.body, reply.url)
        took_s = time.thread_time() - began
        self._failure = None
        self._answered_at = time.monotonic()
        if playlist.target_s > 0:
            self._target_s = max(playlist.target_s, took_s / READING_SHARE)
        return playlist

    def _look_up(self) -> str:
        """Resolve the stream again, if that was not done just now; see `_ask`."""
        now = time.monotonic()
        if now - self._renewed_at >= LEAST_RENEWAL_S:
            self._renewed_at = now
            self._answer = self._ask()
        return self._answer

    def _ask(self) -> str:
        """Resolve the stream; returns "found", "offline", "nothing" or "unknown"."""
        if self._renew is None:
            return "nothing"
        try:
            rendition = self._renew()
        except SourceError as error:
            log.warning("The live stream could not be looked up. %s", error)
            return "offline" if error.outcome in OFFLINE else "unknown"
        if rendition is None:
            return "nothing"
        self._client.trust(rendition)
        self._moved = self._moved or rendition.url != self._url
        self._url = rendition.url
        return "found"

    def _count(self, answer: str) -> None:
        """Whether the stream that stands still has ended."""
        answers = self._failure is None or self._failure.outcome in MISSING
        if answer == "found":
            self._unfound = 0
        elif answer == "offline" or (answer == "nothing" and answers):
            self._unfound += 1
        log.info("The live stream has not grown for %.0f s; looked up: %s.", self._stall_s, answer)
        if self._unfound >= LOOKS_BEFORE_THE_END:
            self._timeline.finish()
