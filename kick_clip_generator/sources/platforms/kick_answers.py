"""What Kick answered, checked at the door: strangers' JSON in, a few trusted facts out.

Shapes as of November 2026: https://github.com/yt-dlp/yt-dlp/issues/17284 (videos of a channel, playback),
https://github.com/streamlink/streamlink/pull/7108 (recording_url), yt-dlp's and streamlink's own Kick modules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.safety import MAX_TITLE_CHARS, check_url, clean_text

MAX_LISTED = 500
MAX_NAME_CHARS = 100
MAX_REASON_CHARS = 200

# Read where Kick explains itself in words: in "message", "error", or in "type" and "details".
_REASONS = (
    ("geo_blocked", re.compile(r"\b(countr(y|ies)|region|geo|territor)", re.IGNORECASE)),
    ("login", re.compile(r"subscri|member|log ?in|unauthenticated|unauthorized|private|permission", re.IGNORECASE)),
    ("gone", re.compile(r"not[ _-]?found|deleted|expired|no longer|does not exist|doesn't exist", re.IGNORECASE)),
)

RESTRICTED = frozenset({"sub_only", "subscriber_only", "private", "members", "members_only"})


class Answer:
    """One JSON object that Kick sent.

    Args:
        data: what `json.loads` made of it, or a part of that.
        what: names the request in messages, e.g. "the video".

    Raises:
        SourceError: when it is no object (outcome "site_changed").
    """

    def __init__(self, data: Any, what: str) -> None:
        if not isinstance(data, dict):
            raise SourceError(f"Kick's answer about {what} is no JSON object.", outcome="site_changed")
        self._data: dict[str, Any] = data
        self.what = what

    @classmethod
    def parse(cls, body: bytes, what: str) -> Answer:
        return cls(parse_json(body, what), what)

    def find(self, *path: str) -> Any:
        """The value at a path of keys, None where there is none."""
        value: Any = self._data
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def has(self, *path: str) -> bool:
        """Whether the last key of a path is there, whatever its value."""
        inner = self.find(*path[:-1]) if len(path) > 1 else self._data
        return isinstance(inner, dict) and path[-1] in inner

    def text(self, *path: str, max_chars: int = MAX_TITLE_CHARS) -> str:
        """Text for people, empty where there is none."""
        value = self.find(*path)
        # Longer text is cut before it is looked at letter by letter.
        return clean_text(value[: 4 * max_chars], max_chars).strip() if isinstance(value, str) else ""

    def number_id(self, *path: str) -> str:
        """A numeric id as text, empty where there is none; Kick sends it as a number or as text."""
        value = self.find(*path)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        return text if isinstance(text, str) and re.fullmatch(r"[0-9]{1,18}", text) else ""

    def flag(self, *path: str) -> bool:
        return self.find(*path) is True

    def url(self, *path: str) -> str:
        """A web address, empty where there is none.

        Raises:
            SourceError: when it is no http(s) address (outcome "refused").
        """
        value = self.find(*path)
        if not isinstance(value, str) or not value:
            return ""
        check_url(value)
        return value

    def each(self, *path: str) -> Iterator[Answer]:
        """The objects of a list, at most `MAX_LISTED`.

        Raises:
            SourceError: when there is no list (outcome "site_changed").
        """
        value = self.find(*path) if path else self._data
        if not isinstance(value, list):
            raise self.lacks(*path)
        return (Answer(item, self.what) for item in value[:MAX_LISTED] if isinstance(item, dict))

    def lacks(self, *path: str) -> SourceError:
        """The error of an answer without a key that was always there."""
        return SourceError(f"Kick's answer about {self.what} lacks {'.'.join(path)}.", outcome="site_changed")

    def reason(self) -> tuple[str, str]:
        """Kick's own words for why there is no more, and the outcome they mean; both empty where it gives none."""
        inner = self.find("data")
        places: list[dict[str, Any]] = [self._data, inner if isinstance(inner, dict) else {}]
        words = [
            clean_text(place[key][: 4 * MAX_REASON_CHARS], MAX_REASON_CHARS)
            for place in places
            for key in ("message", "error", "type", "details")
            if isinstance(place.get(key), str)
        ]
        said = ": ".join(words)[:MAX_REASON_CHARS]
        return next((outcome for outcome, pattern in _REASONS if pattern.search(said)), ""), said


@dataclass(frozen=True, slots=True)
class Found:
    """What one way found out about a stream.

    Attributes:
        url: where its master playlist or file is; secret, for it may be signed. Empty when Kick did not say.
        status: "public", "sub_only", "private" …, empty when Kick did not say.
        live: it goes on.
        stream_id: tells one stream of a channel from the next.
        page: what leads to it again, where that is not the link itself.
    """

    url: str = field(default="", repr=False)
    title: str = ""
    channel: str = ""
    status: str = ""
    live: bool = False
    stream_id: str = ""
    page: str = ""

    @property
    def restricted(self) -> bool:
        return self.status in RESTRICTED


def video(answer: Answer, *path: str) -> Found:
    """One recording as `web.kick.com` and `mobile.kick.com` describe it."""
    return Found(
        url=answer.url(*path, "recording_url"),
        title=answer.text(*path, "title"),
        channel=answer.text(*path, "channel", "username", max_chars=MAX_NAME_CHARS),
        status=answer.text(*path, "status", max_chars=MAX_NAME_CHARS).lower(),
        live=answer.flag(*path, "is_live"),
        stream_id=answer.text(*path, "id", max_chars=MAX_NAME_CHARS),
    )


def parse_json(body: bytes, what: str) -> Any:
    """JSON of a stranger.

    Raises:
        SourceError: when it is none, or made to do harm (outcome "site_changed").
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        # Numbers of more than 4,300 digits are a ValueError, too.
        raise SourceError(f"Kick's answer about {what} is no JSON.", outcome="site_changed") from None
