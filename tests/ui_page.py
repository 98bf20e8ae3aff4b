"""A real server and a real browser for the tests of the page."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from library_facts import a_file, a_source
from origin.media import make_media

from kick_clip_generator.core.records import Highlight, Kind, Reason, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import ClipRecord
from kick_clip_generator.server import Background, build_app

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "<img src=x onerror=document.title='owned'> ${document.title='owned'} {{title}} \u202egpj.exe"


@dataclass
class Site:
    """A served library."""

    url: str
    settings: Settings
    library: Library
    app: Any
    folder: Path
    media: bytes

    def add_clips(
        self, count: int, *, title: str = "A stream", kind: Kind = "audio", suffix: str = ".mp4"
    ) -> list[int]:
        """Clips of falling score, each with a file that plays."""
        known = len(self.library.clips().items)
        source_id = self.library.record_source(a_source(f"https://example.com/{abs(hash(title))}.m3u8", title))
        ids = []
        for n in range(known, known + count):
            highlight = Highlight(
                kind=kind,
                score=0.99 - 0.01 * n,
                peak_s=60.0 * n + 20,
                event=Span(60.0 * n + 15, 60.0 * n + 24),
                clip=Span(60.0 * n + 10, 60.0 * n + 30),
                reasons=(Reason("rms", 0.5, "crowd-like noise +2.4 σ"), Reason("onset", -0.1, "<i>beats</i> −0.3 σ")),
            )
            file = a_file(self.folder / f"{kind}_highlight_{n + 1}_{kind}{suffix}", self.media)
            ids.append(
                self.library.record_clip(
                    ClipRecord(source_id, highlight, kind, file, highlight.clip, "exact", {"rms_mean": float(n)})
                )
            )
        return ids


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Run an application on a free port; gives its URL."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, access_log=False, timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline_s = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline_s, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)


@contextmanager
def a_site(folder: Path, *, workers: bool = False) -> Iterator[Site]:
    """A server on an empty library in `folder`; without workers, jobs stay in the line."""
    folder.mkdir(exist_ok=True)
    settings = Settings(
        database_path=folder / "clips.db",
        output_dir=folder / "output_clips",
        model_dir=folder / "models",
        temp_dir=folder / "temp_chunks",
        download_dir=folder / "downloads",
        log_dir=folder / "logs",
    )
    media = make_media(folder / "tiny.mp4", duration_s=1.0).read_bytes()
    with Library.open(settings.database_path) as library:
        app = build_app(settings, library, background=Background(library, settings) if workers else None)
        with serving(app) as url:
            yield Site(url, settings, library, app, folder / "output_clips" / "A stream", media)


@dataclass
class Visit:
    """A page that is open, with what it did that it should not have."""

    page: Any
    complaints: list[str] = field(default_factory=list)

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def reload(self) -> None:
        self.page.reload()
        self.wait()

    def wait(self) -> None:
        self.page.get_by_role("button", name="Generate clips").wait_for(timeout=60_000)


@contextmanager
def visiting(browser: Any, url: str, *, width_px: int = 1280) -> Iterator[Visit]:
    """Open the page in a fresh profile; anything it fetches from elsewhere and any script error is a complaint."""
    context = browser.new_context(viewport={"width": width_px, "height": 900})
    page = context.new_page()
    visit = Visit(page)

    def on_request(request: Any) -> None:
        if not re.match(rf"{re.escape(url)}|data:|blob:", request.url):
            visit.complaints.append(f"request to {request.url}")

    page.on("request", on_request)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
    try:
        page.goto(url)
        visit.wait()
        yield visit
    finally:
        context.close()
    assert not visit.complaints


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's Chromium; tests are skipped where there is none."""
    if not os.path.exists(CHROMIUM):
        pytest.skip(f"There is no browser at {CHROMIUM}, so the page is not tried in one.")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed, so no browser is driven."
    )
    with sync_api.sync_playwright() as playwright:
        # Debian's /usr/bin/chromium is a shell script that needs grep and others, whatever PATH the tests run with.
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin", "/bin"])
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_FLAGS, env={**os.environ, "PATH": path}
        )
        try:
            yield browser
        finally:
            browser.close()
