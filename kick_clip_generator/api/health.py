"""Whether the program answers, for scripts, containers and the start of the browser; nothing else is told here."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from kick_clip_generator.api.context import Context
from kick_clip_generator.api.problems import PROBLEMS


class Health(BaseModel):
    status: str


def health_router(context: Context) -> APIRouter:
    """The route `/api/health`, the only one that needs no login."""
    router = APIRouter(tags=["server"], responses=PROBLEMS)

    @router.get("/api/health")
    def health() -> Health:
        """200 when the library can be read, else 503."""
        context.library.now()
        return Health(status="ok")

    return router
