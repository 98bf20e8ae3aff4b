"""The video of a project for a player: the kept download, the file itself, or ranges of the source passed on."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kick_clip_generator.core.errors import ConflictError, NotFoundError, SourceError
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.projects import Project
from kick_clip_generator.service.projects import link_of
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.range_file import RangeFile
from kick_clip_generator.sources.resolve import resolve

# Players ask for many ranges of one video; each must not look the link up again.
LOOKED_UP_S = 600.0
_REMEMBERED = 20
_PIECE_BYTES = 256 * 1024
_BEGINNING_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class RemoteVideo:
    """A video on another server.

    Attributes:
        media_type: as that server says, where it is video or sound.
        etag: changes when the video does.
    """

    size: int
    media_type: str
    etag: str
    _source: Source = field(repr=False)
    _rendition: Rendition = field(repr=False)
    _settings: Settings = field(repr=False)

    def read(self, first: int, stop: int) -> Iterator[bytes]:
        """The bytes `[first, stop)`, as they arrive.

        Raises:
            SourceError: when they cannot be had, or the video is another one by now.
        """
        with HttpClient(self._settings, carry=Carry.of(self._source, self._settings)) as client:
            beginning = client.peek(self._rendition.url, _BEGINNING_BYTES)
            with RangeFile(client, beginning, self._rendition.url) as file:
                file.seek(first)
                while first < stop and (piece := file.read(min(_PIECE_BYTES, stop - first))):
                    first += len(piece)
                    yield piece


class Videos:
    """Finds the videos of projects; safe for threads."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._settings = settings
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[float, RemoteVideo]] = OrderedDict()

    def of(self, project: Project) -> Path | RemoteVideo:
        """A file, or a video that is passed on.

        Raises:
            NotFoundError: a local file that is not there any more.
            ConflictError: a stream that comes in pieces, which must be downloaded first.
            SourceError: when the link leads nowhere.
        """
        if project.video is not None and project.video.path.is_file():
            return project.video.path
        link = link_of(self._library, project)
        if not link.lower().startswith(("http://", "https://")):
            path = Path(link)
            if not path.is_file():
                raise NotFoundError("The file of this project has been moved or deleted; put it back.")
            return path
        with self._lock:
            until_s, known = self._found.get(link, (0.0, None))
        if known is not None and time.monotonic() < until_s:
            return known
        video = self._look_up(link, project.id)
        with self._lock:
            self._found[link] = (time.monotonic() + LOOKED_UP_S, video)
            while len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        return video

    def forget(self, project: Project) -> None:
        """Look it up again next time: its address may have expired."""
        with self._lock:
            self._found.pop(link_of(self._library, project), None)

    def _look_up(self, link: str, project_id: int) -> RemoteVideo:
        source = resolve(link, self._settings)
        playable = [one for one in source.renditions if one.has_video is not False and not one.audio_url]
        if source.kind != "http" or not playable:
            raise ConflictError(
                "This stream comes in pieces that no player takes; keep it first: "
                f"POST /api/projects/{project_id}/download."
            )
        rendition = playable[-1]
        with HttpClient(self._settings, carry=Carry.of(source, self._settings)) as client:
            beginning = client.peek(rendition.url, _BEGINNING_BYTES)
        if beginning.size is None:
            raise SourceError(
                "The server of this video cannot send parts of it; download it first.", outcome="no_range"
            )
        said = beginning.headers.get("content-type", "").partition(";")[0].strip().lower()
        media_type = said if said.startswith(("video/", "audio/")) and said.isascii() else "video/mp4"
        digest = source.fingerprint.rpartition(":")[2]
        return RemoteVideo(
            beginning.size, media_type, f'"{digest}-{beginning.size:x}"', source, rendition, self._settings
        )
