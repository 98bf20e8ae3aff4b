"""Streams of Kick: recordings, channels that are live, and clips, found without any other tool."""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.sources.hls.listing import read_hls
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.platforms.cookies import user_cookies
from kick_clip_generator.sources.platforms.kick_answers import Found
from kick_clip_generator.sources.platforms.kick_api import KickApi
from kick_clip_generator.sources.platforms.kick_visit import Visit
from kick_clip_generator.sources.platforms.kick_ways import WAYS
from kick_clip_generator.sources.platforms.links import PlatformLink
from kick_clip_generator.sources.platforms.outcomes import refusal, update_command
from kick_clip_generator.sources.progressive import resolve_progressive

# One of these is the truth; no other way would say anything else.
_CERTAIN = ("login", "offline", "geo_blocked")

# What is said when the ways failed for different reasons: what can be acted upon goes first. "gone" is not here: it
# counts only when nobody said anything else, for an address that Kick has closed answers 404, too.
_TELLING = ("login", "offline", "geo_blocked", "blocked", "rate_limited", "tls", "site_changed")
_NETWORK = ("unreachable", "timeout", "server")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one way did not work."""

    way: str
    error: SourceError


class KickError(SourceError):
    """No way worked; `failures` holds them all."""

    def __init__(self, told: SourceError, failures: Sequence[Failure]) -> None:
        super().__init__(str(told), outcome=told.outcome, retryable=told.retryable)
        self.failures = tuple(failures)


def resolve_kick(inquiry: Inquiry) -> Source | None:
    """A link of Kick as a source; None for any other.

    Raises:
        KickError: when no way leads to media that can be read: why, and what to do next.
        InputError: when the user's cookies cannot be read.
        Cancelled: when the cancel token is up.
    """
    link = inquiry.link
    if link is None or link.platform != "kick":
        return None
    cookies = user_cookies(inquiry.settings, inquiry.cancel)
    failures: list[Failure] = []
    with _open_api(inquiry, link, cookies) as api:
        visit = Visit(link, api, inquiry.settings, logged_in=bool(cookies))
        for way, found in _found(visit, failures):
            try:
                source = _read(inquiry, link, found, api.cookies)
            except SourceError as error:
                failures.append(Failure(f"{way}: its media", error))
                log.info("Kick, %s: the media cannot be read: %s", way, error)
            else:
                log.info("Kick: %s found by way of %s.", link.url, way)
                return source
    raise KickError(_verdict(link, failures), failures)


def _open_api(inquiry: Inquiry, link: PlatformLink, cookies: tuple[str, ...]) -> KickApi:
    if importlib.util.find_spec("curl_cffi") is None:
        raise SourceError(
            f"curl_cffi is not installed, and Kick refuses what does not look like a browser; "
            f"{update_command('curl_cffi')}.",
            outcome="failed",
        )
    return KickApi(inquiry.settings, cookies, inquiry.cancel, referer=link.url)


def _found(visit: Visit, failures: list[Failure]) -> Iterator[tuple[str, Found]]:
    """What the ways lead to, in order; ends early where one says for certain that there is nothing."""
    for way, follow in WAYS[visit.link.kind]:
        try:
            for found in follow(visit):
                yield way, found
        except SourceError as error:
            failures.append(Failure(way, error))
            log.info("Kick, %s: %s", way, error)
            if error.outcome in _CERTAIN:
                return


def _read(inquiry: Inquiry, link: PlatformLink, found: Found, cookies: tuple[str, ...]) -> Source:
    """The source behind what a way found.

    Raises:
        SourceError: when its playlist or file cannot be read.
    """
    path = urlsplit(found.url).path.lower()
    source = Source(
        url=link.url,
        kind="hls",
        title=found.title or link.name,
        duration_s=math.nan,
        fingerprint=f"kick:{link.id}",
        renditions=(Rendition(url=found.url),),
        channel=found.channel,
        link=found.page or link.url,
        # As a browser's player sends them. No user agent: the client that reads has a coherent set of its own.
        headers=(("Referer", "https://kick.com/"), ("Origin", "https://kick.com")),
        cookies=cookies,
        provider="kick",
    )
    if path.endswith((".mp4", ".mov", ".webm", ".m4v")):
        with Inquiry(found.url, inquiry.settings, inquiry.cancel) as file:
            media = resolve_progressive(file)
        assert media is not None
        return replace(source, kind="http", duration_s=media.duration_s, renditions=media.renditions)
    with HttpClient(inquiry.settings, inquiry.cancel, Carry.of(source, inquiry.settings)) as client:
        listing = read_hls(client, found.url)
    running = not listing.ended
    suffix = ":live" if running else ""
    return replace(
        source,
        renditions=listing.renditions,
        live=running,
        duration_s=listing.duration_s,
        fingerprint=f"kick:{link.id or found.stream_id or link.channel}{suffix}",
    )


def _verdict(link: PlatformLink, failures: Sequence[Failure]) -> SourceError:
    """The one sentence for the user, out of all that went wrong."""
    errors = {failure.error.outcome: failure.error for failure in reversed(failures)}
    for outcome in _CERTAIN:
        if outcome in errors:
            return refusal(link, outcome)
    if errors and set(errors) <= {"gone", "not_found"}:
        return refusal(link, "gone")
    for outcome in _TELLING + _NETWORK:
        if outcome in errors:
            return refusal(link, outcome, str(errors[outcome]).rstrip(".") if outcome == "site_changed" else "")
    # Such as an address that is refused, or no media behind it.
    others = [error for outcome, error in errors.items() if outcome not in ("gone", "not_found")]
    return others[0] if others else refusal(link, "failed")
