"""Files on this computer."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from kick_clip_generator.core.errors import MediaError, SourceError
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.media.probe import MediaInfo, probe
from kick_clip_generator.sources.hls.playlist import is_playlist
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.safety import MAX_TITLE_CHARS, clean_text, stem_of

# One letter is a Windows drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")


def resolve_local(inquiry: Inquiry) -> Source | None:
    """A local file as a source; None for web addresses.

    Raises:
        SourceError: when the file is missing, unreadable, empty or no media, or when this is an address of a protocol
            that is not read (`file:`, `concat:`, `data:` …).
    """
    if inquiry.is_web:
        return None
    text = inquiry.url
    if not text:
        raise SourceError(
            "No link or file was given; paste an http(s) address or the path of a file.", outcome="refused"
        )
    scheme = _SCHEME.match(text)
    if scheme and ("://" in text or not _exists(text)):
        raise SourceError(
            f"Only http and https addresses and local files are read, and this one starts with "
            f"{scheme[0][:20]}; give the path of the file or its web address.",
            outcome="refused",
        )
    path = _checked(text)
    shown = clean_text(path.name, MAX_TITLE_CHARS)
    try:
        with path.open("rb") as file:
            if is_playlist(file.read(64)):
                raise SourceError(
                    f"{shown} is a playlist saved on its own; give the web address it came from.", outcome="not_media"
                )
            file.seek(0)
            info = probe(file)
    except OSError as error:
        raise SourceError(
            f"{shown} cannot be read ({error.strerror}); check its permissions.", outcome="unreadable"
        ) from None
    except MediaError:
        raise SourceError(f"{shown} holds no video or sound that can be read.", outcome="not_media") from None
    require_streams(info, shown)
    facts = path.stat()
    return Source(
        url=str(path),
        kind="file",
        title=clean_text(stem_of(path.name), MAX_TITLE_CHARS).strip() or shown,
        duration_s=info.duration_s,
        fingerprint=fingerprint("file", str(path), facts.st_size, facts.st_mtime_ns),
        renditions=(rendition_of(str(path), info),),
    )


def fingerprint(kind: str, *facts: object) -> str:
    """A short name of the content: it changes when any fact does."""
    return f"{kind}:{hashlib.sha256(repr(facts).encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def rendition_of(url: str, info: MediaInfo) -> Rendition:
    """The only rendition of a single file."""
    return Rendition(
        url=url,
        width_px=info.width_px,
        height_px=info.height_px,
        fps=info.fps,
        codecs=",".join(codec for codec in (info.video_codec, info.audio_codec) if codec),
        has_audio=info.has_audio,
        has_video=info.has_video,
    )


def require_streams(info: MediaInfo, shown: str) -> None:
    """Raises:
    SourceError: when there is neither picture nor sound.
    """
    if not (info.has_audio or info.has_video):
        raise SourceError(f"{shown} holds no video or sound that can be read.", outcome="not_media")


def _exists(text: str) -> bool:
    try:
        return os.path.lexists(text)
    except ValueError:
        return False


def _checked(text: str) -> Path:
    shown = clean_text(text, MAX_TITLE_CHARS)
    try:
        # Absolute, so that names like `-x.mp4` or `concat:a` mean nothing special to any program that is handed them.
        path = (Path(text) if os.path.lexists(text) else Path(text).expanduser()).resolve(strict=True)
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        hint = "a web address begins with https://" if re.match(r"[\w-]+\.[\w.-]+/", text) else "check the path"
        raise SourceError(f"There is no file {shown}; {hint}.", outcome="not_found") from None
    except (OSError, ValueError, RuntimeError) as error:
        # Null bytes, overlong names, loops of links, unknown `~user`.
        why = getattr(error, "strerror", None) or "the name is not valid"
        raise SourceError(f"{shown} cannot be opened ({why}).", outcome="unreadable") from None
    if stat.S_ISDIR(facts.st_mode):
        raise SourceError(f"{shown} is a folder; give one file in it.", outcome="not_media")
    if not stat.S_ISREG(facts.st_mode):
        raise SourceError(f"{shown} is no regular file, so it is not read.", outcome="refused")
    if facts.st_size == 0:
        raise SourceError(f"{shown} is empty (0 bytes); download or record it again.", outcome="not_media")
    return path
