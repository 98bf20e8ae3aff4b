"""What the doctor says of platforms: the tools for them, and with `--url` who can resolve a link and what it offers."""

from __future__ import annotations

import datetime
import importlib.metadata
import math
import shutil
import sysconfig
import time
from collections.abc import Iterator
from typing import Literal

from kick_clip_generator.core.errors import ClipGeneratorError, SourceError
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings

State = Literal["ok", "warn", "fail"]
Finding = tuple[str, State, str] | tuple[str, State, str, str]

# Platforms change their pages; yt-dlp itself complains after as many days.
STALE_DAYS = 90


def check_tools() -> Iterator[Finding]:
    """What reads the pages of platforms: whether it is there, how old it is, and what to do about it."""
    from kick_clip_generator.sources.platforms.outcomes import update_command

    # Its versions are dates.
    version = importlib.metadata.version("yt-dlp")
    try:
        released = datetime.date(*(int(part) for part in version.split(".")[:3]))
    except (TypeError, ValueError):
        yield "yt-dlp", "ok", version
    else:
        age_days = (datetime.date.today() - released).days
        if age_days > STALE_DAYS:
            yield "yt-dlp", "warn", f"{version} is {age_days} days old", update_command("yt-dlp", "yt-dlp-ejs")
        else:
            yield "yt-dlp", "ok", version
    yield "streamlink", "ok", importlib.metadata.version("streamlink")
    # Looked for where yt-dlp does, beside Python first; it runs YouTube's JavaScript in it.
    if shutil.which("deno", path=sysconfig.get_path("scripts")) or shutil.which("deno"):
        yield "deno", "ok", "found"
    else:
        finding = "not found; optional: without it much of YouTube cannot be read"
        yield "deno", "ok", finding, f"install it from https://deno.com, or: {update_command('deno')}"


def check_link(url: str, settings: Settings) -> Iterator[Finding]:
    """What, state and finding of each step; addresses of media, which may be signed, are not among them."""
    from kick_clip_generator.sources.renditions import for_analysis, for_clips

    source: Source | None = None
    for what, answer, took_s in _answers(url, settings):
        if isinstance(answer, Source):
            source = source or answer
            yield what, "ok", f"{_summary(answer)} ({took_s:.1f} s)"
        else:
            yield what, "warn", f"{answer.outcome}: {answer} ({took_s:.1f} s)"
    if source is None:
        yield "link", "fail", "nobody could resolve it"
        return
    chosen = {"analysis": for_analysis(source, settings), "clips": for_clips(source, settings)}
    for rendition in source.renditions:
        uses = " and ".join(use for use, taken in chosen.items() if taken is rendition)
        yield "rendition", "ok", _description(rendition) + (f"  <- {uses}" if uses else "")
    for rendition in dict.fromkeys(chosen.values()):
        yield _read(source, rendition, settings)


def _answers(url: str, settings: Settings) -> Iterator[tuple[str, Source | SourceError, float]]:
    """Every provider of a platform's link, or the one that takes other addresses, with the seconds that it took."""
    from kick_clip_generator.sources.inquiry import Inquiry
    from kick_clip_generator.sources.resolve import ask_platform_providers, resolve

    since_s = time.monotonic()
    try:
        with Inquiry(url, settings) as inquiry:
            if inquiry.link is not None:
                for name, answer in ask_platform_providers(inquiry):
                    yield name, answer, time.monotonic() - since_s
                    since_s = time.monotonic()
                return
        source = resolve(url, settings)
        yield source.provider or source.kind, source, time.monotonic() - since_s
    except SourceError as error:
        yield "link", error, time.monotonic() - since_s


def _read(source: Source, rendition: Rendition, settings: Settings) -> Finding:
    from kick_clip_generator.sources.reader import open_reader

    what = f"read {rendition.name}".strip()
    try:
        with open_reader(source, rendition, settings) as reader:
            info = reader.info
    except ClipGeneratorError as error:
        return what, "fail", str(error)
    picture = f"{info.video_codec} {info.width_px}x{info.height_px}" if info.has_video else "no picture"
    return what, "ok", f"its beginning can be read: {picture}, {info.audio_codec or 'no sound'}"


def _summary(source: Source) -> str:
    known = f"{source.duration_s:.0f} s" if math.isfinite(source.duration_s) else "length not known"
    length = "live" if source.live else known
    heights = f"{len(source.renditions)} rendition{'s' * (len(source.renditions) != 1)}"
    return f"{source.title!r}{f' by {source.channel}' if source.channel else ''}, {length}, {source.kind}, {heights}"


def _description(rendition: Rendition) -> str:
    facts = [rendition.name or "size not known"]
    if math.isfinite(rendition.bitrate_bps):
        facts.append(f"{rendition.bitrate_bps / 1e6:.2f} Mbit/s")
    facts += [rendition.codecs] if rendition.codecs else []
    facts += ["sound kept apart"] if rendition.audio_url else []
    return ", ".join(facts)
