"""The REST API without the page, on a library of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from origin.media import make_media
from starlette.testclient import TestClient
from ui_page import Site

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.server import build_app

HERE = "http://127.0.0.1:8000"


@dataclass
class Api(Site):
    """A library and a client that sits at this computer."""

    client: TestClient

    def visitor(self, address: str = "192.0.2.7") -> TestClient:
        """A client without cookies, from elsewhere."""
        return TestClient(self.app, base_url=HERE, client=(address, 50000), raise_server_exceptions=False)

    def project(self, **about: Any) -> int:
        """A project whose source is that of `add_clips`."""
        body = {"url": "https://example.com/stream.m3u8", **about}
        made = self.client.post("/api/projects/url", json=body).json()
        return int(made["id"])


@contextmanager
def an_api(folder: Path, **changes: Any) -> Iterator[Api]:
    """An API on an empty library in `folder`; no worker does its jobs."""
    settings = Settings(
        database_path=folder / "clips.db",
        output_dir=folder / "output_clips",
        export_dir=folder / "exports",
        model_dir=folder / "models",
        temp_dir=folder / "temp_chunks",
        download_dir=folder / "downloads",
        log_dir=folder / "logs",
        **changes,
    )
    media = make_media(folder / "tiny.mp4", duration_s=1.0).read_bytes()
    with Library.open(settings.library_place) as library:
        app = build_app(settings, library, frontend=False)
        with TestClient(app, base_url=HERE, client=("127.0.0.1", 50000), raise_server_exceptions=False) as client:
            yield Api(HERE, settings, library, app, folder / "output_clips" / "A stream", media, client)
