"""What can go wrong, in words for the person who must fix it.

Every expected failure is a `ClipGeneratorError` whose message is one sentence: what happened, why, and what to do. The
command line prints it and leaves with `exit_code`; the UI and the API show the same sentence. Anything else that is
raised is a bug and keeps its traceback.
"""

from __future__ import annotations

# What became of a link or a request.
OUTCOMES = {
    "refused": "it may not be read: another protocol, a private address, an extractor that is not on the list",
    "not_found": "it is not there: misspelt, or answered with 404",
    "gone": "it was deleted or has expired",
    "offline": "the channel is not live now",
    "login": "it is for members, subscribers or people who are logged in",
    "blocked": "403 after all retries",
    "geo_blocked": "it may not be watched from this country",
    "site_changed": "the platform answers in a way that the resolver does not know",
    "unreachable": "no network, or no such host",
    "timeout": "no answer in time",
    "server": "5xx after all retries",
    "rate_limited": "429 after all retries",
    "tls": "no trusted connection",
    "truncated": "it arrived incomplete after all retries",
    "redirects": "too many redirects, or one to nowhere",
    "too_large": "more than is read",
    "not_media": "no video or sound",
    "unsupported": "media that cannot be read (DRM)",
    "no_range": "the server cannot send parts of a file",
    "changed": "it changed while it was read",
    "unreadable": "a local file that cannot be opened, or a stream none of which could be read",
    "gap": "a piece of the stream is lost",
    "discontinuity": "the clock of the stream starts anew here",
    "ended": "a live stream has ended",
    "out_of_range": "the wanted span lies outside",
    "failed": "anything else",
}


class ClipGeneratorError(Exception):
    """Root of all expected failures."""

    exit_code = 2


class InputError(ClipGeneratorError):
    """A flag, setting or argument must change."""


class SourceError(ClipGeneratorError):
    """A stream could not be resolved, reached or read.

    Args:
        message: the sentence to show.
        outcome: a short stable word for programs, one of `OUTCOMES`.
        retryable: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, outcome: str = "failed", retryable: bool = False) -> None:
        if outcome not in OUTCOMES:
            raise ValueError(f"expected one of {', '.join(OUTCOMES)}, got {outcome!r}")
        super().__init__(message)
        self.outcome = outcome
        self.retryable = retryable


class SourceLost(SourceError):
    """Nothing more can be read from the source now: the network is gone, or every request is refused.

    It ends a run. What is finished is kept, and the same command goes on from there.
    """


class MediaError(ClipGeneratorError):
    """Media could not be decoded, cut or checked."""


class LibraryError(ClipGeneratorError):
    """`clips.db` or a folder could not be read or written."""


class NotFoundError(LibraryError):
    """There is nothing of that number or name in the library."""


class ConflictError(LibraryError):
    """It cannot be done as things stand: a name is taken, a job has ended, somebody else is at it."""


class UnavailableError(LibraryError):
    """The database cannot be reached, read or written now: the same call may succeed later."""


class Cancelled(ClipGeneratorError):
    """The user stopped the run; finished work is kept."""

    exit_code = 130
