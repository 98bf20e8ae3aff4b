"""An open rendition: one byte stream, or two that are read side by side where the sound lies apart from the picture."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.join import join
from kick_clip_generator.sources.chunk import MediaSpan, removed_on_failure, writable
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.reader import Reader, open_reader


@dataclass(frozen=True, slots=True)
class Track:
    """A byte stream and what is decoded from it."""

    reader: Reader
    audio: bool
    video: bool


class Tracks:
    """All that is read of one rendition; use it as a context manager.

    Args:
        main: reads the picture, and the sound unless it lies apart.
        sound: reads the sound where it lies apart.
    """

    def __init__(self, main: Reader, sound: Reader | None = None) -> None:
        self._readers = (main,) if sound is None else (main, sound)

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """What to decode, one or two; looking at the media costs a request where none was read yet.

        Raises:
            SourceError: when they cannot be looked at.
        """
        main, *rest = self._readers
        sounds = tuple(Track(sound, audio=sound.info.has_audio, video=False) for sound in rest)
        return (Track(main, audio=main.info.has_audio and not rest, video=main.info.has_video), *sounds)

    @property
    def has_audio(self) -> bool:
        return any(track.audio for track in self.tracks)

    @property
    def has_video(self) -> bool:
        return any(track.video for track in self.tracks)

    @property
    def duration_s(self) -> float:
        """NaN when not known."""
        return self._readers[0].info.duration_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading, also in other threads."""
        for reader in self._readers:
            reader.close()

    @property
    def breaks_s(self) -> tuple[float, ...]:
        """As `Reader.breaks_s`, of all tracks."""
        return tuple(sorted({at_s for reader in self._readers for at_s in reader.breaks_s}))

    @property
    def holes(self) -> tuple[Span, ...]:
        """As `Reader.holes`, of all tracks."""
        return tuple(sorted({hole for reader in self._readers for hole in reader.holes}))

    @property
    def traffic(self) -> Traffic:
        """What was asked of servers so far."""
        return sum((reader.traffic for reader in self._readers), Traffic())

    def span(self, span: Span, folder: Path, later: Sequence[Span] = ()) -> MediaSpan:
        """Media to cut a clip from, sound and picture in one file.

        Args:
            folder, later: as of `Reader.span`.

        Raises:
            SourceError: when they cannot be had complete.
        """
        main, *rest = (reader.span(span, folder, later) for reader in self._readers)
        if not rest:
            return main
        sound = rest[0]
        try:
            return _joined(main, sound, folder)
        finally:
            for part in (main, sound):
                if part.temporary:
                    part.path.unlink(missing_ok=True)


def open_tracks(source: Source, rendition: Rendition, settings: Settings, cancel: CancelToken | None = None) -> Tracks:
    """Open what `rendition` is made of.

    Raises:
        SourceError: when its beginning cannot be read.
    """
    with contextlib.ExitStack() as undo:
        main = undo.enter_context(open_reader(source, rendition, settings, cancel))
        sound = open_reader(source, rendition, settings, cancel, sound=True) if rendition.audio_url else None
        undo.pop_all()
    return Tracks(main, sound)


def _joined(main: MediaSpan, sound: MediaSpan, folder: Path) -> MediaSpan:
    with writable(folder):
        handle, name = tempfile.mkstemp(prefix="span_", suffix=".media", dir=folder)
    os.close(handle)
    path = Path(name)
    with removed_on_failure(path):
        join(main.path, sound.path, path, sound_later_s=sound.offset_s - main.offset_s)
    return MediaSpan(path, min(main.offset_s, sound.offset_s), temporary=True, end_s=min(main.end_s, sound.end_s))
