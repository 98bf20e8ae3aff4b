"""Who helps with an analysis: nobody on the command line, other workers for a job."""

from __future__ import annotations

from collections.abc import Callable

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.pipeline.passes import Elsewhere, Pass
from kick_clip_generator.sources.resolve import resolve


class Crew:
    """An analysis that is done by this process alone. What others do differently, they override."""

    def resolve(self, url: str, settings: Settings, cancel: CancelToken) -> Source:
        """As `sources.resolve.resolve`."""
        return resolve(url, settings, cancel)

    def elsewhere(self, source: Source, settings: Settings, identity: Callable[[Pass], str]) -> Elsewhere | None:
        """Who else measures windows; `identity` names what a pass gives, see `inline.identity`."""
        return None

    def checkpoint(self) -> None:
        """Called when a window is kept; what it raises ends the run."""


ALONE = Crew()
