"""Faces in a picture, by the cascade that comes with OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

CASCADE = "haarcascade_frontalface_alt2.xml"
NO_CASCADE = (
    "Faces are unknown, because this OpenCV comes without its face cascades; "
    'install one that has them with: pip install "opencv-python-headless<5"'
)

# A face in the corner camera of a game stream is about a twentieth of the picture wide; 24 px is the cascade's least
# size worth looking at.
PICTURE_WIDTH_PX = 480
LEAST_FACE_PX = 24
SCALE_STEP = 1.2
# So many overlapping hits make a face; with OpenCV's default of 3, textures of games count as faces more often.
LEAST_HITS = 5


def cascade_path() -> Path | None:
    """Where the cascade lies; None when this OpenCV has none."""
    folder = getattr(getattr(cv2, "data", None), "haarcascades", None)
    path = Path(folder) / CASCADE if folder else None
    return path if path is not None and path.is_file() and hasattr(cv2, "CascadeClassifier") else None


class FaceFinder:
    """Counts faces that look at the camera (Viola and Jones 2001).

    Args:
        cascade: see `cascade_path`.
    """

    def __init__(self, cascade: Path) -> None:
        self._classifier = cv2.CascadeClassifier(str(cascade))

    def count_and_area(self, gray: NDArray[np.uint8]) -> tuple[int, float]:
        """Number of faces, and the share of the picture that their boxes cover.

        Args:
            gray: shape `(height, width)`; `PICTURE_WIDTH_PX` wide is enough.
        """
        boxes = self._classifier.detectMultiScale(
            gray, scaleFactor=SCALE_STEP, minNeighbors=LEAST_HITS, minSize=(LEAST_FACE_PX, LEAST_FACE_PX)
        )
        return len(boxes), sum(int(width) * int(height) for _, _, width, height in boxes) / gray.size
