"""What the ways through Kick's servers share: the link, the requests, and what several of them need."""

from __future__ import annotations

import re
from functools import cached_property

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.platforms.kick_answers import Answer
from kick_clip_generator.sources.platforms.kick_api import KickApi
from kick_clip_generator.sources.platforms.links import PlatformLink

SITE = "https://kick.com"
WEB = "https://web.kick.com"

# In the data that the page is made of; quotes are escaped there, as it is JavaScript text.
_CHANNEL_ID = re.compile(rb'channel_id\\{0,2}"\s{0,4}:\s{0,4}\\{0,2}"?([0-9]{1,18})')

# What yt-dlp's Kick module sends; Kick answers 400 without it.
_PLAYER = {
    "video_player": {"player": {}},
    "video_session": {},
    "user_session": {"non_personalised_ads": True},
}


class Visit:
    """One link on its way through Kick's servers; what several ways need is asked once.

    Args:
        link: of Kick.
        api: for the requests.
        settings: LIVE_FROM.
        logged_in: whether the user lent cookies.
    """

    def __init__(self, link: PlatformLink, api: KickApi, settings: Settings, *, logged_in: bool = False) -> None:
        self.link = link
        self.api = api
        self.settings = settings
        self.logged_in = logged_in
        self._channel_id: str | SourceError = ""

    def ask(self, url: str, what: str) -> Answer:
        return Answer(self.api.json(url, what), what)

    @cached_property
    def channel(self) -> Answer:
        """The channel of the link.

        Raises:
            SourceError: when it cannot be had.
        """
        return self.ask(f"{SITE}/api/v2/channels/{self.link.channel}", f"the channel {self.link.channel}")

    @cached_property
    def playback(self) -> Answer:
        """What a player is told about the video.

        Raises:
            SourceError: when it cannot be had.
        """
        what = "the playback of the video"
        return Answer(self.api.json(f"{WEB}/api/v1/stream/{self.link.id}/playback", what, body=_PLAYER), what)

    @property
    def channel_id(self) -> str:
        """The number of the channel: from its own record, from the page, or from the player's answer.

        Raises:
            SourceError: the first failure, when none of them tells.
        """
        if not self._channel_id:
            self._channel_id = self._find_channel_id()
        if isinstance(self._channel_id, SourceError):
            raise self._channel_id
        return self._channel_id

    def _find_channel_id(self) -> str | SourceError:
        failure: SourceError | None = None
        for way in (self._id_of_channel, self._id_of_page, self._id_of_player):
            try:
                return way()
            except SourceError as error:
                # The slug in the link says nothing about the video: a channel may have been renamed.
                failure = failure or error
        assert failure is not None
        return failure

    def _id_of_channel(self) -> str:
        if not self.link.channel:
            raise SourceError("The link does not name the channel.", outcome="not_found")
        number = self.channel.number_id("id")
        if not number:
            raise self.channel.lacks("id")
        return number

    def _id_of_page(self) -> str:
        found = _CHANNEL_ID.search(self.api.page(self.link.url, "the page of the video"))
        if found is None:
            raise SourceError("Kick's page of the video lacks channel_id.", outcome="site_changed")
        return found[1].decode()

    def _id_of_player(self) -> str:
        if not self.link.id:
            raise SourceError("The link does not name a video.", outcome="not_found")
        number = self.playback.number_id("video_session", "creator_id")
        if not number:
            raise self.playback.lacks("video_session", "creator_id")
        return number
