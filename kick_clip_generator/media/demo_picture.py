"""The picture of the demo stream: a match in a stadium, in the look of an old game, with a clock and captions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.progress import Progress, ProgressCallback
from kick_clip_generator.media.demo_script import CAPTIONS, DemoEvent, excitement

Image = NDArray[np.uint8]

FPS = 30
WIDTH_PX, HEIGHT_PX = 320, 180
MARGIN_PX = 12
"""How far the camera shakes at most."""


def demo_picture(events: list[DemoEvent], duration_s: float, seed: int, progress: ProgressCallback) -> Iterator[bytes]:
    """BGR frames of 320x180."""
    rng = np.random.default_rng([seed, 3])
    times_s = np.asarray(np.arange(round(duration_s * FPS)) / FPS, np.float32)
    action = excitement(events, times_s, "both", "video")
    crowd = excitement(events, times_s, "both", "audio")
    # Things move along smooth paths; action lets their time run faster. In calm the camera all but rests: stands that
    # pass by at any speed differ from look to look as much as action does.
    camera = np.cumsum(0.015 + 5.0 * action) / FPS
    players = np.cumsum(0.2 + 5.0 * action) / FPS
    scene = _Scene(rng)
    goals = 0
    for n, time_s in enumerate(times_s):
        current = next((event for event in events if event.start_s <= time_s < event.end_s), None)
        goals += any(e.kind == "both" and n == math.ceil((e.start_s + 1.0) * FPS) for e in events)
        shot = 0
        if current is not None and current.kind == "cuts":
            # A cut every half second, among views that hardly move.
            shot = 1 + int((time_s - current.start_s) * 2) % 3
        frame = scene.draw(float(camera[n]), float(players[n]), float(action[n]), float(crowd[n]), shot, n)
        caption = CAPTIONS[current.kind] if current is not None else "CALM"
        _overlay(frame, float(time_s), goals, caption, float(crowd[n]))
        if n % FPS == 0:
            progress(Progress("demo", n // FPS, math.ceil(duration_s)))
        yield frame.tobytes()


class _Scene:
    """A stadium, wider than the picture, with stands above a pitch."""

    WIDE_PX = 2 * WIDTH_PX
    STANDS_PX = 62

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        high = HEIGHT_PX + 2 * MARGIN_PX
        stadium = np.zeros((high, self.WIDE_PX, 3), np.uint8)
        stripes = ((np.arange(self.WIDE_PX) // 40) % 2)[:, None]
        stadium[:] = np.where(stripes, (52, 128, 62), (46, 116, 54))
        stadium[: self.STANDS_PX] = (58, 50, 50)
        for x in (20, self.WIDE_PX // 2, self.WIDE_PX - 20):
            cv2.line(stadium, (x, self.STANDS_PX), (x, high), (170, 200, 170), 2)
        cv2.ellipse(stadium, (self.WIDE_PX // 2, 130), (70, 30), 0, 0, 360, (170, 200, 170), 2)
        # The same people, sitting (0) and jumping (1, 2, …).
        self._stadiums = [stadium.copy() for _ in range(7)]
        for y in range(6, self.STANDS_PX, 7):
            for x in range(3, self.WIDE_PX, 6):
                color = tuple(int(c) for c in rng.integers(60, 150, 3))
                for variant, image in enumerate(self._stadiums):
                    jump = int(rng.integers(0, 5)) if variant else 0
                    cv2.rectangle(image, (x, y - jump), (x + 3, y + 4 - jump), color, -1)
        for image in self._stadiums:
            image[self.STANDS_PX : self.STANDS_PX + 8] = (120, 70, 40)
        self._homes = rng.uniform((60, 92), (self.WIDE_PX - 60, 180), (12, 2))
        self._rates = rng.uniform(0.6, 1.4, (12, 2))
        self._phases = rng.uniform(0, 2 * np.pi, (12, 2))
        self._confetti = rng.uniform(0, 1, (150, 2))
        self._colors = rng.integers(80, 256, (150, 3), dtype=np.uint8)

    def draw(self, camera: float, players: float, action: float, crowd: float, shot: int, n: int) -> Image:
        """One frame.

        Args:
            camera, players: how far they have moved.
            action, crowd: 0 calm to 1.
            shot: 0 the camera that follows the ball; others are fixed views.
            n: number of the frame.
        """
        # A cheer that is only heard (kind "audio") leaves the picture calm.
        variant = 1 + int(self._rng.integers(0, 6)) if self._rng.uniform() < min(action, crowd) else 0
        ball_x = self.WIDE_PX * (0.5 + 0.22 * math.sin(camera * 1.3))
        ball_y = 135 + 35 * math.sin(players * 2.9)
        left = round(ball_x - WIDTH_PX / 2) if shot == 0 else (40, 290, 160)[shot - 1]
        left = min(max(left, MARGIN_PX), self.WIDE_PX - WIDTH_PX - MARGIN_PX)
        top = MARGIN_PX
        if action > 0.3:
            left += int(self._rng.integers(-7, 8) * action)
            top += int(self._rng.integers(-7, 8) * action)
        frame = self._stadiums[variant][top : top + HEIGHT_PX, left : left + WIDTH_PX].copy()
        if shot == 2:
            frame = np.ascontiguousarray(frame[:, ::-1]) // 2
        elif shot == 3:
            frame = 255 - frame
        for player, (home, rate, phase) in enumerate(zip(self._homes, self._rates, self._phases, strict=True)):
            x, y = home + (50, 14) * np.sin(players * rate + phase)
            self._player(
                frame, round(x) - left, round(y) - top + MARGIN_PX, (60, 60, 230) if player % 2 else (230, 120, 40)
            )
        cv2.circle(frame, (round(ball_x) - left, round(ball_y) - top + MARGIN_PX), 3, (250, 250, 250), -1)
        if action > 0.3 and crowd > 0.3:
            self._celebrate(frame, n)
        return frame

    @staticmethod
    def _player(frame: Image, x: int, y: int, color: tuple[int, int, int]) -> None:
        cv2.rectangle(frame, (x - 3, y - 10), (x + 3, y), color, -1)
        cv2.circle(frame, (x, y - 13), 3, (150, 190, 230), -1)

    def _celebrate(self, frame: Image, n: int) -> None:
        """Confetti, and a flash now and then."""
        fall = (self._confetti + np.array([0.003, 0.02]) * n) % 1
        x, y = (fall * (WIDTH_PX - 2, HEIGHT_PX - 2)).astype(int).T
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            frame[y + dy, x + dx] = self._colors
        if n % 23 < 2:
            np.maximum(frame, 200, out=frame)


def _overlay(frame: Image, time_s: float, goals: int, caption: str, crowd: float) -> None:
    """Clock, score, caption and the streamer's face, as streams have them; they stand still."""
    cv2.rectangle(frame, (4, 4), (134, 18), (30, 20, 20), -1)
    clock = f"{int(time_s // 60):02d}:{int(time_s % 60):02d}.{int(time_s * 10 % 10)}"
    cv2.putText(frame, clock, (8, 15), cv2.FONT_HERSHEY_PLAIN, 0.8, (255, 255, 255), 1)
    cv2.putText(frame, f"HOME {goals}-0", (66, 15), cv2.FONT_HERSHEY_PLAIN, 0.8, (90, 230, 250), 1)
    cv2.rectangle(frame, (4, 160), (16 + 10 * len(caption), 176), (30, 20, 20), -1)
    cv2.putText(frame, caption, (8, 173), cv2.FONT_HERSHEY_PLAIN, 1.0, (255, 255, 255), 1)
    cv2.rectangle(frame, (272, 132), (315, 175), (90, 60, 50), -1)
    cv2.circle(frame, (293, 153), 15, (150, 190, 230), -1)
    for x in (287, 299):
        cv2.circle(frame, (x, 149), 2, (30, 20, 20), -1)
    cv2.ellipse(frame, (293, 160), (5, 1 + round(5 * crowd)), 0, 0, 360, (40, 20, 120), -1)
