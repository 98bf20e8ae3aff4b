"""From what a user pasted to a `Source`: a chain of providers, each of which knows one kind of link."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.hls.listing import resolve_hls
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.local import resolve_local
from kick_clip_generator.sources.platforms import outcomes
from kick_clip_generator.sources.platforms.links import PlatformLink
from kick_clip_generator.sources.progressive import resolve_progressive

log = logging.getLogger(__name__)

Provider = Callable[[Inquiry], Source | None]
"""Answers None for a link that is not its own, and raises SourceError for one that is but cannot be read."""

# Particular before general: the last one takes any web address.
PROVIDERS: tuple[Provider, ...] = (resolve_local, resolve_hls, resolve_progressive)

# What two providers say alike is believed, and no third one is asked.
_BELIEVED = ("offline", "gone", "login", "geo_blocked", "unreachable")


@dataclass(frozen=True, slots=True)
class Report:
    """Why one provider could not resolve a link."""

    provider: str
    outcome: str
    message: str


class ResolveError(SourceError):
    """Nobody could resolve a platform's link: the most telling of the reasons, and all of them in `reports`."""

    def __init__(self, reports: Sequence[Report], told: SourceError) -> None:
        super().__init__(str(told), outcome=told.outcome, retryable=told.retryable)
        self.reports = tuple(reports)


def resolve(url: str, settings: Settings, cancel: CancelToken | None = None) -> Source:
    """Find out what a link or path leads to.

    Args:
        url: an http(s) address or the path of a local file.
        settings: network settings and allowed hosts.
        cancel: stops waiting for servers and tools.

    Raises:
        SourceError: one sentence on what is wrong with it; a ResolveError for links of Kick, Twitch and YouTube.
        InputError: when the user's cookies cannot be read.
        Cancelled: when the cancel token is up.
    """
    with Inquiry(url, settings, cancel) as inquiry:
        if inquiry.link is not None:
            return _resolve_platform(inquiry, inquiry.link)
        for provider in PROVIDERS:
            source = provider(inquiry)
            if source is not None:
                return source
    raise SourceError("This is neither a web address nor a file that can be read.", outcome="refused")


def ask_platform_providers(inquiry: Inquiry) -> Iterator[tuple[str, Source | SourceError]]:
    """The name and the answer of each provider of platforms' links, asked when its turn comes.

    Only links of platforms come here, so the tools see no other address.

    Raises:
        InputError: when the user's cookies cannot be read.
        Cancelled: when the cancel token is up.
    """
    for name, provider in _platform_providers():
        try:
            source = provider(inquiry)
        except SourceError as error:
            yield name, error
        else:
            if source is not None:
                yield name, source


def _resolve_platform(inquiry: Inquiry, link: PlatformLink) -> Source:
    failures: dict[str, SourceError] = {}
    for name, answer in ask_platform_providers(inquiry):
        if isinstance(answer, Source):
            return answer
        failures[name] = answer
        log.info("%s could not resolve %s (%s): %s", name, link.url, answer.outcome, answer)
        agreeing = [failure for failure in failures.values() if failure.outcome == answer.outcome]
        if len(agreeing) >= 2 and answer.outcome in _BELIEVED:
            break
    weights = {outcome: weight for weight, outcome in enumerate(outcomes.BY_WEIGHT)}
    told = min(failures.values(), key=lambda failure: weights.get(failure.outcome, len(weights)))
    raise ResolveError([Report(name, failure.outcome, str(failure)) for name, failure in failures.items()], told)


def _platform_providers() -> tuple[tuple[str, Provider], ...]:
    # Runs on files and plain addresses need none of this.
    from kick_clip_generator.sources.platforms.kick import resolve_kick
    from kick_clip_generator.sources.platforms.streamlink import resolve_streamlink
    from kick_clip_generator.sources.platforms.ytdlp import resolve_ytdlp

    return ("kick", resolve_kick), ("yt-dlp", resolve_ytdlp), ("streamlink", resolve_streamlink)
