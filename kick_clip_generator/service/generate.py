"""The main use case: a URL in, ranked highlights and clips out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kick_clip_generator.clips.manifest import highlights_document, manifest_name, write_json
from kick_clip_generator.clips.plan import plan_clips
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.kinds import MEDIA, Medium, Wanted
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback, silent
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import CutMode, Detection, Source, Span
from kick_clip_generator.core.settings import LONGEST_STREAM_MIN, Settings
from kick_clip_generator.highlights.config import MOST_PER_KIND, DetectionConfig, Mode, V1Config
from kick_clip_generator.highlights.debug import debug_document, debug_name
from kick_clip_generator.highlights.detect import segment
from kick_clip_generator.highlights.segmentation import Segmentation
from kick_clip_generator.jobs.crew import ALONE, Crew
from kick_clip_generator.jobs.inline import analyze_inline
from kick_clip_generator.library.library import Library
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.analyze import Analysis, analyzed_span
from kick_clip_generator.pipeline.clips import ClipFile, ClipsMade, clips_folder, cut_clips
from kick_clip_generator.pipeline.report import coverage_report
from kick_clip_generator.service.folders import scan
from kick_clip_generator.service.models import ActiveModel, active_model
from kick_clip_generator.sources.chat_file import ChatFile

# Beside the clips: how their moments were found.
DEBUG_FOLDER = "debug"

# What those mean that name several media.
SEVERAL: Mapping[Wanted, Sequence[str]] = {"all": MEDIA, "both": ("audio", "video")}


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What to find and cut. Build it with `checked`, which fills in the settings and refuses contradictions.

    Attributes:
        url: a local file, a media URL or an HLS playlist URL.
        make_clips: whether files are cut.
        span: the part of the stream to analyse; None for all of it.
        cut: how clips are cut.
        output: a folder to write the clips flat into; None for `OUTPUT_DIR/<source>/`.
        config: detection parameters.
        chat: a file of what viewers wrote, see `sources.chat_file`; None without.
    """

    url: str
    make_clips: bool
    span: Span | None
    cut: CutMode
    output: Path | None
    config: DetectionConfig
    chat: Path | None = None

    @classmethod
    def checked(
        cls,
        *,
        url: str,
        settings: Settings,
        make_clips: bool = True,
        kinds: Wanted = "all",
        max_audio_clips: int | None = None,
        max_video_clips: int | None = None,
        max_speech_clips: int | None = None,
        max_chat_clips: int | None = None,
        chat: Path | None = None,
        mode: Mode | None = None,
        min_gap_s: float | None = None,
        clip_duration_s: float | None = None,
        start_minute: float | None = None,
        end_minute: float | None = None,
        cut: CutMode | None = None,
        output: Path | None = None,
        audio_weights: Mapping[str, float] | None = None,
        video_weights: Mapping[str, float] | None = None,
    ) -> GenerateRequest:
        """Fill in what is not given from the settings.

        Raises:
            InputError: for an empty URL, a start that is not before the end, or a value out of its range.
        """
        if not url.strip():
            raise InputError("No stream was given; paste a link or the path of a file.")
        span = None
        if start_minute is not None or end_minute is not None:
            start_s = 60 * (start_minute or 0.0)
            end_s = 60 * (LONGEST_STREAM_MIN if end_minute is None else end_minute)
            if start_s >= end_s:
                raise InputError(
                    f"The start (minute {start_s / 60:g}) must lie before the end (minute {end_s / 60:g}); swap them."
                )
            span = Span(start_s, end_s)

        if chat is not None:
            ChatFile(chat).check()
        elif kinds == "chat" or max_chat_clips is not None:
            raise InputError("Chat highlights need a chat: name its file with --chat FILE.")
        asked: Mapping[Medium, int | None] = {
            "audio": max_audio_clips,
            "video": max_video_clips,
            "speech": max_speech_clips,
            "chat": max_chat_clips,
        }

        def most(kind: Medium) -> int:
            clips = asked[kind]
            if clips is not None and not 1 <= clips <= MOST_PER_KIND:
                raise InputError(f"max_{kind}_clips must be 1 to {MOST_PER_KIND}, got {clips}.")
            if kind not in SEVERAL.get(kinds, (kinds,)):
                return 0
            return settings.top_n_highlights if clips is None else clips

        config = DetectionConfig(
            mode=mode or settings.mode,
            min_gap_s=settings.min_gap if min_gap_s is None else min_gap_s,
            max_audio=most("audio"),
            max_video=most("video"),
            max_speech=most("speech"),
            max_chat=most("chat"),
            clip_duration_s=clip_duration_s,
            min_clip_s=settings.min_clip_seconds,
            max_clip_s=settings.max_clip_seconds,
            min_audio_score=settings.min_audio_score,
            min_video_score=settings.min_video_score,
            min_speech_score=settings.min_speech_score,
            min_chat_score=settings.min_chat_score,
            keep_best=settings.keep_best,
            heuristic_weight=settings.heuristic_weight,
            ml_weight=None if settings.ml_weight == "auto" else settings.ml_weight,
            v1=V1Config(scene_threshold=settings.scene_threshold),
        )
        if audio_weights is not None:
            config = dataclasses.replace(config, audio_weights=dict(audio_weights))
        if video_weights is not None:
            config = dataclasses.replace(config, video_weights=dict(video_weights))
        return cls(url, make_clips, span, cut or settings.cut, output, config, chat)


@dataclass(frozen=True, slots=True)
class GenerateResult:
    """What a run found and made.

    Attributes:
        source: what the URL resolved to.
        detection: its highlights.
        analysis: windows and bytes.
        clips: files, best first.
        folder: where they lie; None when none were asked for.
        notes: sentences for the user.
        document: the JSON form.
    """

    source: Source
    detection: Detection
    analysis: Analysis
    clips: Sequence[ClipFile]
    folder: Path | None
    notes: Sequence[str]
    document: Mapping[str, Any] = field(repr=False)


def require_recording(source: Source) -> None:
    """Raises:
    InputError: for a running stream: its media are gone from the server by the time its highlights are known.
    """
    if source.live:
        raise InputError(
            f"{source.title} is live; its highlights can be listed while it runs (without --generate-clips), and clips "
            "are cut from its recording once it has ended."
        )


def generate_highlights(
    request: GenerateRequest,
    *,
    library: Library,
    settings: Settings,
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
    scorer: Scorer | None = None,
    crew: Crew = ALONE,
) -> GenerateResult:
    """Resolve, analyse, detect and cut.

    Args:
        request: what to do.
        library: where everything is recorded.
        settings: checked settings.
        progress: told of every step.
        cancel: raise it from another thread to stop; finished windows and clips are kept.
        scorer: used instead of the active model of the library.
        crew: who helps with the analysis.

    Raises:
        ClipGeneratorError: with the sentence to show.
    """
    token = cancel or CancelToken()
    progress(Progress("resolve"))
    source = crew.resolve(request.url, settings, token)
    if request.make_clips:
        require_recording(source)
    span, notes = analyzed_span(source, request.span, settings)
    ffmpeg_path(settings.ffmpeg_path)  # a program that is missing must not show after an hour of work
    folder = clips_folder(source, settings, request.output) if request.make_clips else None
    source_id = library.record_source(source)
    scan(library, settings)  # a server's library has been open for long
    model = ActiveModel(scorer) if scorer else active_model(library, settings)
    job_id, analysis = analyze_inline(
        library,
        source,
        span,
        settings=settings,
        config=request.config,
        scorer=model.scorer,
        progress=progress,
        cancel=token,
        chat=request.chat,
        crew=crew,
    )
    detection = analysis.detection
    highlight_ids = library.replace_highlights(source_id, job_id, detection.merged)

    made = ClipsMade()
    if folder is not None:
        made = cut_clips(
            source,
            plan_clips(detection.merged, *detection.by_medium.values()),
            folder=folder,
            mode=request.cut,
            timeline=analysis.signals,
            source_id=source_id,
            highlight_ids=dict(zip(map(id, detection.merged), highlight_ids, strict=True)),
            model_version=model.number,
            library=library,
            settings=settings,
            progress=progress,
            cancel=token,
        )
    now = datetime.now()
    document = highlights_document(
        **detection.by_medium,
        merged=detection.merged,
        about={"source": source.url, "title": source.title, "created": now.isoformat(timespec="seconds")},
        files=[(clip.highlight, clip.path.name) for clip in made.files],
    )
    if folder is not None:
        write_json(folder / manifest_name(now), document)
        write_json(
            folder / DEBUG_FOLDER / debug_name(request.config.mode),
            debug_document(analysis.segmentation, analysis.signals),
        )
    progress(Progress("done"))
    report = coverage_report(source, analysis.windows, analysis.timeline.duration_s, analysis.traffic + made.traffic)
    all_notes = [*model.notes, *notes, *detection.notes, *analysis.notes, *made.notes, report]
    return GenerateResult(source, detection, analysis, made.files, folder, all_notes, document)


def in_mode(
    result: GenerateResult, mode: Mode, *, library: Library, settings: Settings, scorer: Scorer | None = None
) -> Segmentation:
    """What another mode finds in what was measured already.

    Args:
        result: of `generate_highlights`, with the same library, settings and scorer.
        mode: which one; that of the run is answered at once.
    """
    done = result.analysis.segmentation
    if mode == done.config.mode:
        return done
    model = ActiveModel(scorer) if scorer else active_model(library, settings)
    return segment(result.analysis.signals, dataclasses.replace(done.config, mode=mode), model.scorer)
