"""Requests to Kick without curl_cffi: mostly refused, but some networks get through."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import urlsplit

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.http import HttpClient
from kick_clip_generator.sources.kick_answers import parse_json
from kick_clip_generator.sources.kick_api import API_HOSTS, MAX_ANSWER_BYTES
from kick_clip_generator.sources.outcomes import update_command


class PlainKickApi:
    """What `KickApi` offers, made of the guarded client; the user's cookies and the player's answer are out of reach.

    Args:
        client: for the requests; not closed here.
    """

    cookies: tuple[str, ...] = ()
    caveat = "curl_cffi is not installed"

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def json(self, url: str, what: str, *, body: Any = None) -> Any:
        """As `KickApi.json`; what has to be sent cannot be."""
        if body is not None:
            raise SourceError(_advice(what), outcome="blocked")
        return parse_json(self.page(url, what), what)

    def page(self, url: str, what: str) -> bytes:
        """As `KickApi.page`."""
        try:
            reply = self._client.get(url, cap=MAX_ANSWER_BYTES)
        except SourceError as error:
            if error.outcome == "blocked":
                raise SourceError(_advice(what), outcome="blocked") from None
            if error.outcome == "not_found":
                raise SourceError(f"Kick does not know {what} (404).", outcome="gone") from None
            raise
        if urlsplit(reply.url).hostname not in API_HOSTS:
            raise SourceError(f"Kick redirects away from itself for {what}.", outcome="redirects")
        return reply.body


def _advice(what: str) -> str:
    return f"Kick does not answer about {what} without curl_cffi; {update_command('curl_cffi')}."
