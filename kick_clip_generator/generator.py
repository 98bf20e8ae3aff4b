"""The Python API: find highlights, cut clips, learn from ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from kick_clip_generator.clips.manifest import highlights_document, manifest_name, write_json
from kick_clip_generator.core.progress import CancelToken, ProgressCallback, silent
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import CutMode, Highlight
from kick_clip_generator.core.settings import Settings, load_settings, with_changes
from kick_clip_generator.highlights.merge import merge
from kick_clip_generator.learning.model import MLHighlightModel
from kick_clip_generator.pipeline.retrain import RetrainResult, retrain_models
from kick_clip_generator.service.cut import cut_highlights
from kick_clip_generator.service.generate import GenerateRequest, generate_highlights
from kick_clip_generator.service.library import open_library


class KickClipGenerator:
    """Finds and cuts the highlights of streams.

    Args:
        clip_duration: fixed length of clips in seconds; None lets the ends be chosen.
        min_gap: least distance between the peaks of two highlights of a kind, in seconds.
        max_audio_clips, max_video_clips: 1-25 highlights per kind.
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
        self.audio_weights = audio_weights
        self.video_weights = video_weights
        self.model = model
        self.progress = progress
        self.notes: Sequence[str] = ()
        self._cancel = CancelToken()

    def cancel(self) -> None:
        """Stop the run that goes on in another thread; what is finished is kept, and the next run is not concerned."""
        self._cancel.cancel()

    def process_stream(
        self, url: str, *, start_minute: float | None = None, end_minute: float | None = None
    ) -> tuple[list[Highlight], list[Highlight]]:
        """Find the highlights of a stream. What there is to say about the run is left in `notes`.

        Args:
            url: a Kick, Twitch or YouTube link, a media or HLS playlist URL, or a local file.
            start_minute, end_minute: the part to analyse; None for all.

        Returns:
            Audio and video highlights, best first.

        Raises:
            ClipGeneratorError: with one sentence that says what went wrong.
        """
        self._cancel = CancelToken()
        with open_library(self.settings) as library:
            result = generate_highlights(
                self._request(url, start_minute=start_minute, end_minute=end_minute),
                library=library,
                settings=self.settings,
                progress=self.progress,
                cancel=self._cancel,
                scorer=self.model,
            )
        self.notes = result.notes
        return list(result.detection.audio), list(result.detection.video)

    def generate_clips(
        self, url: str, highlights: Sequence[Highlight], *, output: Path | None = None, cut: CutMode | None = None
    ) -> list[Path]:
        """Cut highlights as clips.

        Args:
            url: the stream they were found in.
            highlights: in the order in which the files are numbered.
            output: a folder to write the clips flat into; None for `OUTPUT_DIR/<source>/`.
            cut: "copy" or "exact"; None for the setting.

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

    def _request(
        self,
        url: str,
        *,
        start_minute: float | None = None,
        end_minute: float | None = None,
        output: Path | None = None,
        cut: CutMode | None = None,
    ) -> GenerateRequest:
        return GenerateRequest.checked(
            url=url,
            settings=self.settings,
            make_clips=False,
            max_audio_clips=self.max_audio_clips,
            max_video_clips=self.max_video_clips,
            clip_duration_s=self.settings.clip_duration,
            start_minute=start_minute,
            end_minute=end_minute,
            cut=cut,
            output=output,
            audio_weights=self.audio_weights,
            video_weights=self.video_weights,
        )
