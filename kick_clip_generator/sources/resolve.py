"""From what a user pasted to a `Source`: a chain of providers, each of which knows one kind of link."""

from __future__ import annotations

from collections.abc import Callable

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.hls import resolve_hls
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.local import resolve_local
from kick_clip_generator.sources.progressive import resolve_progressive

Provider = Callable[[Inquiry], Source | None]
"""Answers None for a link that is not its own, and raises SourceError for one that is but cannot be read."""

# Particular before general: the last one takes any web address.
PROVIDERS: tuple[Provider, ...] = (resolve_local, resolve_hls, resolve_progressive)


def resolve(url: str, settings: Settings, cancel: CancelToken | None = None) -> Source:
    """Find out what a link or path leads to.

    Args:
        url: an http(s) address or the path of a local file.
        settings: network settings and allowed hosts.
        cancel: stops waiting for servers.

    Raises:
        SourceError: one sentence on what is wrong with it.
        Cancelled: when the cancel token is up.
    """
    with Inquiry(url, settings, cancel) as inquiry:
        for provider in PROVIDERS:
            source = provider(inquiry)
            if source is not None:
                return source
    raise SourceError("This is neither a web address nor a file that can be read.", outcome="refused")
