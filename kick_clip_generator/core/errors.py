"""What can go wrong, in words for the person who must fix it.

Every expected failure is a `ClipGeneratorError` whose message is one sentence: what happened, why, and what to do. The
command line prints it and leaves with `exit_code`; the UI and the API show the same sentence. Anything else that is
raised is a bug and keeps its traceback.
"""

from __future__ import annotations


class ClipGeneratorError(Exception):
    """Root of all expected failures."""

    exit_code = 2


class InputError(ClipGeneratorError):
    """A flag, setting or argument must change."""


class SourceError(ClipGeneratorError):
    """A stream could not be resolved, reached or read.

    Args:
        message: the sentence to show.
        outcome: a short stable word for programs, e.g. "not_found", "unreachable", "not_media", "refused", "blocked".
        retryable: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, outcome: str = "failed", retryable: bool = False) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.retryable = retryable


class MediaError(ClipGeneratorError):
    """Media could not be decoded, cut or checked."""


class LibraryError(ClipGeneratorError):
    """`clips.db` or a folder could not be read or written."""


class Cancelled(ClipGeneratorError):
    """The user stopped the run; finished work is kept."""

    exit_code = 130
