"""Clips played in Chromium: what its canvas shows of each frame."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]

# Slower than life, so that a busy machine shows every frame.
RATE = 0.5

# Every frame that is presented, as luma of full range by the weights of BT.709.
PLAY = """async ([data, rate]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const video = document.createElement('video');
  const canvas = document.createElement('canvas');
  const frames = [];
  video.muted = true;
  document.body.replaceChildren(video);
  await new Promise((done, failed) => {
    video.onloadeddata = done;
    video.onerror = () => failed(new Error(video.error.message || 'code ' + video.error.code));
    video.src = URL.createObjectURL(new Blob([bytes], {type: 'video/mp4'}));
  });
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const grab = (now, shown) => {
    context.drawImage(video, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let luma = '';
    for (let i = 0; i < pixels.length; i += 4)
      luma += String.fromCharCode(Math.round(0.2126 * pixels[i] + 0.7152 * pixels[i + 1] + 0.0722 * pixels[i + 2]));
    frames.push([shown.mediaTime, btoa(luma)]);
    video.requestVideoFrameCallback(grab);
  };
  video.requestVideoFrameCallback(grab);
  video.playbackRate = rate;
  await new Promise((done, failed) => {
    video.onended = done;
    video.onerror = () => failed(new Error(video.error.message || 'code ' + video.error.code));
    video.play().catch(failed);
  });
  return {width: canvas.width, height: canvas.height, duration: video.duration, frames};
}"""

Frames = list[tuple[float, NDArray[np.uint8]]]
Player = Callable[[Path], Frames]


@contextmanager
def player(executable: str = CHROMIUM) -> Iterator[Player]:
    """A function that plays an MP4 file and returns when each frame is shown, in seconds, and its luma (0-255).

    Raises:
        ImportError: Playwright is not installed.
        playwright.sync_api.Error: the browser can't be started; from the function: the file can't be played.
    """
    from playwright.sync_api import sync_playwright

    def play(path: Path) -> Frames:
        found: dict[str, Any] = page.evaluate(PLAY, [base64.b64encode(path.read_bytes()).decode(), RATE])
        shape = (found["height"], found["width"])
        return [
            (time_s, np.frombuffer(base64.b64decode(luma), np.uint8).reshape(shape)) for time_s, luma in found["frames"]
        ]

    with sync_playwright() as playwright:
        # Debian's chromium is a shell script that needs grep and others.
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin", "/bin"])
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS, env={**os.environ, "PATH": path})
        try:
            page = browser.new_page()
            yield play
        finally:
            browser.close()
