"""What the providers of `resolve` share: the link, and the beginning of what it leads to, fetched at most once."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Self

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import HttpClient, Reply
from kick_clip_generator.sources.platforms.links import PlatformLink, recognise

PEEK_BYTES = 64 * 1024


class Inquiry:
    """One link being resolved.

    Args:
        url: as the user gave it; surrounding spaces are dropped.
        settings: for requests.
        cancel: for requests.

    Attributes:
        url, settings, cancel: as given.
    """

    def __init__(self, url: str, settings: Settings, cancel: CancelToken | None = None) -> None:
        # Spaces around a pasted link mean nothing; in the name of a file that is there they do.
        self.url = url if os.path.lexists(url) else url.strip()
        self.settings = settings
        self.cancel = cancel

    @property
    def is_web(self) -> bool:
        return self.url.lower().startswith(("http://", "https://"))

    @cached_property
    def link(self) -> PlatformLink | None:
        """What the link names on a platform; None for one that leads elsewhere, or is a path.

        Raises:
            SourceError: for a page of a platform that is not one video, clip or channel.
        """
        return recognise(self.url) if self.is_web else None

    @cached_property
    def client(self) -> HttpClient:
        return HttpClient(self.settings, self.cancel, Carry.of_settings(self.settings))

    @cached_property
    def beginning(self) -> Reply:
        """The first `PEEK_BYTES` of a web address.

        Raises:
            SourceError: when it cannot be reached.
        """
        return self.client.peek(self.url, PEEK_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "client" in self.__dict__:
            self.client.close()
