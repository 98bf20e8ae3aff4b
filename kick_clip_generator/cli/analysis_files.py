"""What `main.py analyze -o DIR` leaves: clips, signals, every step of the detection, and pages that show them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.clips.manifest import write_json, write_text
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.highlights.config import MODES, Mode
from kick_clip_generator.highlights.debug import debug_document, debug_name
from kick_clip_generator.highlights.segmentation import Segmentation
from kick_clip_generator.library.files import check_writable
from kick_clip_generator.library.library import Library
from kick_clip_generator.pipeline.features_file import features_json, features_name
from kick_clip_generator.service.generate import DEBUG_FOLDER, GenerateResult, in_mode
from kick_clip_generator.ui.charts.compare_page import compare_page
from kick_clip_generator.ui.charts.timeline_page import timeline_page

FEATURES_FOLDER = "features"


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the files of each result; see `into`."""

    folder: Path
    compare: bool

    @classmethod
    def into(cls, folder: Path, *, compare: bool) -> Writer:
        """A writer into a folder, which is made and tried before an hour of work.

        Args:
            compare: both modes, and a page that shows them side by side.

        Raises:
            LibraryError: when the folder cannot be written.
        """
        check_writable(folder)
        return cls(folder, compare)

    def __call__(self, result: GenerateResult, name: str, library: Library, settings: Settings) -> None:
        """Write what a run found, into a folder of that name where it has one.

        Raises:
            LibraryError: when the folder cannot be written.
        """
        folder = self.folder / name
        modes = MODES if self.compare else (result.analysis.segmentation.config.mode,)
        found = {mode: in_mode(result, mode, library=library, settings=settings) for mode in modes}
        # What was measured is the same in every mode; at ten hours it is 45 MB and takes seconds to write.
        write_text(folder / FEATURES_FOLDER / features_name(modes[0]), features_json(result.analysis.signals))
        for mode, segmentation in found.items():
            self._mode(folder, mode, segmentation, result)
        if self.compare:
            write_text(folder / "compare.html", [compare_page(result.source.title, result.analysis.signals, found)])

    def _mode(self, folder: Path, mode: Mode, segmentation: Segmentation, result: GenerateResult) -> None:
        signals = result.analysis.signals
        write_json(folder / f"{mode}_clips.json", [clip.to_dict() for clip in segmentation.detection.merged])
        write_json(folder / DEBUG_FOLDER / debug_name(mode), debug_document(segmentation, signals))
        page = timeline_page(result.source.title, signals, segmentation)
        write_text(folder / f"timeline_{mode}.html", [page])
