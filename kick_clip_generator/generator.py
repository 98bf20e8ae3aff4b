"""The Python API: find highlights, cut clips, learn from ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from kick_clip_generator.clips.manifest import highlights_document, manifest_name, write_json
from kick_clip_generator.core.progress import CancelToken, ProgressCallback, silent
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import CutMode, Detection, Highlight
from kick_clip_generator.core.settings import Settings, load_settings, with_changes
from kick_clip_generator.highlights.merge import merge
from kick_clip_generator.learning.model import MLHighlightModel
from kick_clip_generator.library.records import Label
from kick_clip_generator.pipeline.retrain import RetrainResult, retrain_models
from kick_clip_generator.service.bounds import move_bounds
from kick_clip_generator.service.cut import cut_highlights
from kick_clip_generator.service.export import ChosenClip, ExportRequest, export_clips
from kick_clip_generator.service.folders import set_label
from kick_clip_generator.service.generate import GenerateRequest, generate_highlights
from kick_clip_generator.service.library import open_library


class KickClipGenerator:
    """Finds and cuts the highlights of streams.

    Args:
        clip_duration: fixed length of clips in seconds; None lets the ends be chosen.
        min_gap: least distance between the peaks of two highlights of a kind, in seconds.
        max_audio_clips, max_video_clips, max_speech_clips, max_chat_clips: 1-25 highlights per kind.
        audio_weights, video_weights: weights of the heuristic score by feature name, e.g. `{"rms_mean": 0.5}`; None
            for the defaults.
        model: a learned judge used instead of the library's active one, e.g. an `MLHighlightModel`.
        settings: see `core.settings`; None reads the environment and `.env`.
        progress: called with a `Progress` after each step.

    Raises:
        InputError: when a number is out of range.

    Example:
        >>> generator = KickClipGenerator(clip_duration=30, min_gap=10)
        >>> audio, video = generator.process_stream("stream.mp4")  # doctest: +SKIP
        >>> generator.generate_clips("stream.mp4", audio + video)  # doctest: +SKIP
    """

    def __init__(
        self,
        clip_duration: float | None = None,
        min_gap: float | None = None,
        *,
        max_audio_clips: int | None = None,
        max_video_clips: int | None = None,
        max_speech_clips: int | None = None,
        max_chat_clips: int | None = None,
        audio_weights: Mapping[str, float] | None = None,
        video_weights: Mapping[str, float] | None = None,
        model: Scorer | None = None,
        settings: Settings | None = None,
        progress: ProgressCallback = silent,
    ) -> None:
        base = settings or load_settings()
        changes = {"clip_duration": clip_duration, "min_gap": min_gap}
        self.settings = with_changes(base, **{key: value for key, value in changes.items() if value is not None})
        self.max_audio_clips = max_audio_clips
        self.max_video_clips = max_video_clips
        self.max_speech_clips = max_speech_clips
        self.max_chat_clips = max_chat_clips
        self.audio_weights = audio_weights
        self.video_weights = video_weights
        self.model = model
        self.progress = progress
        self.notes: Sequence[str] = ()
        self.detection = Detection()
        self._cancel = CancelToken()

    def cancel(self) -> None:
        """Stop the run that goes on in another thread; what is finished is kept, and the next run is not concerned."""
        self._cancel.cancel()

    def process_stream(
        self,
        url: str,
        *,
        start_minute: float | None = None,
        end_minute: float | None = None,
        chat: str | Path | None = None,
    ) -> tuple[list[Highlight], list[Highlight]]:
        """Find the highlights of a stream. All that was found is left in `detection`, also `.speech`, `.chat` and
        `.merged` (one per moment, ranked), and what there is to say about the run in `notes`.

        Args:
            url: a Kick, Twitch or YouTube link, a media or HLS playlist URL, or a local file.
            start_minute, end_minute: the part to analyse; None for all.
            chat: a file of what viewers wrote, a JSON object per line with `t` (seconds of the stream), `user` and
                `text`.

        Returns:
            Audio and video highlights, best first.

        Raises:
            ClipGeneratorError: with one sentence that says what went wrong.
        """
        self._cancel = CancelToken()
        with open_library(self.settings) as library:
            result = generate_highlights(
                self._request(url, start_minute=start_minute, end_minute=end_minute, chat=chat),
                library=library,
                settings=self.settings,
                progress=self.progress,
                cancel=self._cancel,
                scorer=self.model,
            )
        self.notes = result.notes
        self.detection = result.detection
        return list(result.detection.audio), list(result.detection.video)

    def generate_clips(
        self, url: str, highlights: Sequence[Highlight], *, output: Path | None = None, cut: CutMode | None = None
    ) -> list[Path]:
        """Cut highlights as clips.

        Args:
            url: the stream they were found in.
            highlights: in the order in which the files are numbered.
            output: a folder to write the clips flat into; None for `OUTPUT_DIR/<source>/`.
            cut: "copy", "smart" or "exact"; None for the setting.

        Returns:
            One path per clip that could be made, in the order of `highlights`.

        Raises:
            ClipGeneratorError: with one sentence that says what went wrong.
        """
        self._cancel = CancelToken()
        with open_library(self.settings) as library:
            made = cut_highlights(
                self._request(url, output=output, cut=cut),
                highlights,
                library=library,
                settings=self.settings,
                progress=self.progress,
                cancel=self._cancel,
            )
        self.notes = made.notes
        return [file.path for file in made.files]

    def move_clip(self, clip: int, start: float | None = None, end: float | None = None, *, url: str = "") -> Path:
        """Give a clip of the library other ends, cut anew from its source; its number, name, stars and label stay.

        Args:
            clip: its number.
            start, end: in the stream, in seconds; None leaves that end where it is.
            url: where its source is now, when its link was signed or its file was moved; empty for where it was.

        Returns:
            Its file.

        Raises:
            ClipGeneratorError: with one sentence that says what went wrong; the clip stays as it is.
        """
        self._cancel = CancelToken()
        with open_library(self.settings) as library:
            done = move_bounds(
                clip,
                start,
                end,
                library=library,
                settings=self.settings,
                url=url or None,
                progress=self.progress,
                cancel=self._cancel,
            )
        self.notes = [done.note] if done.note else []
        return done.clip.path

    def keep(self, clip: int) -> Path:
        """Keep a clip of the library: its file moves to `keep/`, and it teaches what is good.

        Returns:
            Where it lies now.

        Raises:
            ClipGeneratorError: with one sentence that says what went wrong.
        """
        return self._label(clip, "keep")

    def drop(self, clip: int) -> Path:
        """Drop a clip of the library: its file moves to `drop/`, and it teaches what is not; see `DROP_DAYS`.

        Returns, Raises: as `keep`.
        """
        return self._label(clip, "drop")

    def export_highlights_json(
        self, audio: Sequence[Highlight], video: Sequence[Highlight], path: Path | None = None
    ) -> Path:
        """Write highlights as JSON, whole or not at all.

        Args:
            audio, video: as `process_stream` returned them.
            path: None for `OUTPUT_DIR/highlights_<YYYYMMDD_HHMMSS>.json`.

        Raises:
            LibraryError: when the file cannot be written.
        """
        target = path or self.settings.clips_dir / manifest_name(datetime.now())
        return write_json(target, highlights_document(audio=audio, video=video, merged=merge(audio, video)))

    def export(
        self,
        clips: Sequence[int],
        *,
        to: str = "folder",
        into: str | Path = "",
        name: str = "",
        compound: bool = False,
        crossfade: float = 0.0,
    ) -> list[str]:
        """Send clips of the library to a destination. What could not be sent is said in `notes`.

        Args:
            clips: their numbers, in order.
            to: "folder", "zip", or a destination that is installed (see docs/extending.md).
            into: the folder or file; empty for `EXPORT_DIR`.
            name: a template such as "{rank:02d} {title}"; empty for `EXPORT_NAME`.
            compound: all in one file, with a chapter for each.
            crossfade: seconds that each part of a compound fades into the next.

        Returns:
            Where each file is now.

        Raises:
            ClipGeneratorError: with one sentence that says what went wrong.
        """
        self._cancel = CancelToken()
        request = ExportRequest(
            clips=[ChosenClip(number) for number in clips],
            to=to,
            into=str(into),
            name=name,
            compound=compound,
            crossfade_s=crossfade,
        )
        with open_library(self.settings) as library:
            result = export_clips(
                request, library=library, settings=self.settings, progress=self.progress, cancel=self._cancel
            )
        self.notes = (*result.failures, *result.notes)
        return [exported.where for exported in result.sent]

    def retrain(self) -> RetrainResult:
        """Train on all ratings of the library; regressors assigned to `model`, an `MLHighlightModel`, are used.

        Returns:
            Whether the new version is in use from now on, and why.

        Raises:
            ClipGeneratorError: with one sentence that says what went wrong.
        """
        template = self.model if isinstance(self.model, MLHighlightModel) else None
        with open_library(self.settings) as library:
            return retrain_models(library, self.settings, template=template)

    def _label(self, clip: int, label: Label) -> Path:
        with open_library(self.settings) as library:
            done = set_label(library, self.settings, clip, label)
        self.notes = [done.outcome.message]
        return done.clip.path

    def _request(
        self,
        url: str,
        *,
        start_minute: float | None = None,
        end_minute: float | None = None,
        chat: str | Path | None = None,
        output: Path | None = None,
        cut: CutMode | None = None,
    ) -> GenerateRequest:
        return GenerateRequest.checked(
            url=url,
            settings=self.settings,
            make_clips=False,
            max_audio_clips=self.max_audio_clips,
            max_video_clips=self.max_video_clips,
            max_speech_clips=self.max_speech_clips,
            # Asked for once and for all; a stream without a chat has none.
            max_chat_clips=None if chat is None else self.max_chat_clips,
            chat=None if chat is None else Path(chat),
            clip_duration_s=self.settings.clip_duration,
            start_minute=start_minute,
            end_minute=end_minute,
            cut=cut,
            output=output,
            audio_weights=self.audio_weights,
            video_weights=self.video_weights,
        )
