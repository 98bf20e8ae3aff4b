"""The ways to ask Kick for a stream, one small function each, best first.

Kick moves its addresses without a word: `/api/v1/video/{id}` has answered 404 since July 2026. So a link is tried in
several ways, and one of them that closes costs nothing but its request. Sources of the addresses:
https://github.com/yt-dlp/yt-dlp/issues/17284, https://github.com/streamlink/streamlink/pull/7108, and yt-dlp's and
streamlink's own Kick modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.platforms.kick_answers import MAX_NAME_CHARS, Answer, Found, video
from kick_clip_generator.sources.platforms.kick_visit import SITE, WEB, Visit
from kick_clip_generator.sources.platforms.links import recognise
from kick_clip_generator.sources.platforms.outcomes import refusal

MOBILE = "https://mobile.kick.com"

Way = Callable[[Visit], Iterator[Found]]
"""Yields what may be played, best first; raises SourceError when there is nothing."""


def web_video(visit: Visit) -> Iterator[Found]:
    """The recording as the site describes it: without advertisements."""
    yield from _recording(visit, WEB)


def mobile_video(visit: Visit) -> Iterator[Found]:
    """The same as the app sees it."""
    yield from _recording(visit, MOBILE)


def player(visit: Visit) -> Iterator[Found]:
    """What the player is told; may hold advertisements."""
    answer = visit.playback
    if not isinstance(answer.find("playback_url"), dict):
        outcome, said = answer.reason()
        if outcome:
            raise refusal(visit.link, outcome, said)
        raise answer.lacks("playback_url")
    # "dvr" is that of a stream that still runs; "live" has no beginning, and is no recording.
    urls = [url for url in (answer.url("playback_url", key) for key in ("vod", "dvr")) if url]
    if not urls:
        # yt-dlp's Kick module takes it for a lack of subscription; a channel may also turn recordings off.
        raise refusal(visit.link, "login", "Kick names no recording to play")
    for url in urls:
        yield Found(
            url=url,
            title=answer.text("video_session", "video_title"),
            channel=answer.text("video_session", "video_series", max_chars=MAX_NAME_CHARS) or visit.link.channel,
        )


def listed(visit: Visit) -> Iterator[Found]:
    """The recording among those of its channel, where the site keeps the addresses of the files."""
    if not visit.link.channel:
        raise SourceError("The link does not name the channel.", outcome="not_found")
    what = f"the recordings of {visit.link.channel}"
    data = visit.api.json(f"{SITE}/api/v2/channels/{visit.link.channel}/videos", what)
    for item in Answer({"videos": data}, what).each("videos"):
        ids = {
            item.text("id"),
            item.text("uuid"),
            item.text("vod_id"),
            item.text("video", "uuid"),
            item.text("video", "id"),
        }
        if visit.link.id not in ids:
            continue
        status = item.text("video", "status", max_chars=MAX_NAME_CHARS).lower()
        found = Found(
            url=item.url("source"),
            title=item.text("session_title"),
            channel=visit.link.channel,
            status="private" if item.flag("video", "is_private") else status,
        )
        yield _playable(visit, found, item.lacks("source"))
        return
    raise SourceError("Kick does not list this video among those of its channel.", outcome="gone")


def from_start(visit: Visit) -> Iterator[Found]:
    """The recording that grows while a channel is live; only when LIVE_FROM asks for the start."""
    if visit.settings.live_from != "start":
        return
    what = f"the recordings of {visit.link.channel}"
    for item in visit.ask(f"{WEB}/api/v1/channels/{visit.channel_id}/videos", what).each("data"):
        found = video(item)
        if found.live and found.url:
            # The recording stays when the stream has ended; the channel is offline then.
            page = recognise(f"{SITE}/{visit.link.channel}/videos/{found.stream_id}")
            yield replace(found, channel=found.channel or visit.link.channel, page=page.url if page else "")
            return


def channel_live(visit: Visit) -> Iterator[Found]:
    """What the channel streams now, from its own record."""
    channel = visit.channel
    if channel.flag("is_banned"):
        raise refusal(visit.link, "gone", "Kick has banned the channel")
    if not channel.has("livestream"):
        raise channel.lacks("livestream")
    if not isinstance(channel.find("livestream"), dict) or channel.find("livestream", "is_live") is False:
        raise refusal(visit.link, "offline")
    url = channel.url("playback_url") or channel.url("livestream", "playback_url")
    if not url:
        raise channel.lacks("playback_url")
    yield Found(
        url=url,
        title=channel.text("livestream", "session_title"),
        channel=channel.text("user", "username", max_chars=MAX_NAME_CHARS) or visit.link.channel,
        stream_id=channel.number_id("livestream", "id"),
    )


def livestream(visit: Visit) -> Iterator[Found]:
    """What the channel streams now, from the record of the stream."""
    answer = visit.ask(f"{SITE}/api/v2/channels/{visit.link.channel}/livestream", f"the stream of {visit.link.channel}")
    if not answer.has("data"):
        raise answer.lacks("data")
    if not isinstance(answer.find("data"), dict):
        raise refusal(visit.link, "offline")
    url = answer.url("data", "playback_url")
    if not url:
        raise answer.lacks("data", "playback_url")
    yield Found(
        url=url,
        title=answer.text("data", "session_title"),
        channel=visit.link.channel,
        stream_id=answer.number_id("data", "id"),
    )


def clip(visit: Visit) -> Iterator[Found]:
    yield from _clip(visit, f"{SITE}/api/v2/clips/{visit.link.id}")


def clip_play(visit: Visit) -> Iterator[Found]:
    """The same from the address that the site's own clip player asks."""
    yield from _clip(visit, f"{SITE}/api/v2/clips/{visit.link.id}/play")


WAYS: dict[str, Sequence[tuple[str, Way]]] = {
    "vod": (
        ("web.kick.com", web_video),
        ("mobile.kick.com", mobile_video),
        ("list of the channel", listed),
        ("player", player),
    ),
    "live": (("from the start", from_start), ("channel", channel_live), ("livestream", livestream)),
    "clip": (("clip", clip), ("clip player", clip_play)),
}


def _recording(visit: Visit, host: str) -> Iterator[Found]:
    what = "the video"
    answer = visit.ask(f"{host}/api/v1/channels/{visit.channel_id}/videos/{visit.link.id}", what)
    if not isinstance(answer.find("data"), dict):
        outcome, said = answer.reason()
        if outcome or answer.has("data"):
            raise refusal(visit.link, outcome or "gone", said)
        raise answer.lacks("data")
    found = video(answer, "data")
    found = replace(found, channel=found.channel or visit.link.channel)
    yield _playable(visit, found, answer.lacks("data", "recording_url"))


def _playable(visit: Visit, found: Found, lacks: SourceError) -> Found:
    """What was found, unless it is for others or leads nowhere.

    An address that Kick gives away by mistake is not used: what is for members stays theirs.
    """
    if found.restricted and not (found.url and visit.logged_in):
        raise refusal(visit.link, "login", "Kick says " + found.status.replace("_", " "))
    if not found.url:
        raise lacks
    return found


def _clip(visit: Visit, url: str) -> Iterator[Found]:
    answer = visit.ask(url, "the clip")
    if not isinstance(answer.find("clip"), dict):
        outcome, said = answer.reason()
        if outcome:
            raise refusal(visit.link, outcome, said)
        raise answer.lacks("clip")
    urls = dict.fromkeys(answer.url("clip", key) for key in ("clip_url", "video_url", "playback_url"))
    urls.pop("", None)
    if not urls:
        raise answer.lacks("clip", "clip_url")
    for address in urls:
        yield Found(
            url=address,
            title=answer.text("clip", "title"),
            channel=answer.text("clip", "channel", "username", max_chars=MAX_NAME_CHARS) or visit.link.channel,
        )
