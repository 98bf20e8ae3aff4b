"""Whether the program answers, for scripts and for the start of the browser."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException

from kick_clip_generator import __version__
from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.library import Library


def health_router(library: Library) -> APIRouter:
    """The route `/api/health`."""
    router = APIRouter()

    @router.get("/api/health")
    def health() -> dict[str, Any]:
        """200 when the library can be read, else 503 with the reason."""
        try:
            rated = library.rating_counts().rated_clips
        except LibraryError as error:
            raise HTTPException(503, str(error)) from error
        return {"status": "ok", "version": __version__, "rated_clips": rated}

    return router
