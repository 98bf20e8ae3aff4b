"""The models that learn from ratings: versions, which one ranks, training."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from kick_clip_generator.api.context import Context
from kick_clip_generator.api.jobs import JobOut, job_answer
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.library.records import ModelVersion
from kick_clip_generator.service.jobs import start_retrain
from kick_clip_generator.service.models import activate_model


class ModelOut(BaseModel):
    id: int
    active: bool = Field(description="Whether it ranks now.")
    kinds: list[str]
    ratings: int = Field(description="How many it was trained on.")
    metrics: dict[str, Any] = Field(description="How it was judged on ratings that it had not seen.")
    sha256: str
    created_at: float = Field(description="UNIX seconds.")


class Models(BaseModel):
    models: list[ModelOut] = Field(description="The newest first; with none active, the heuristic ranks alone.")


def models_router(context: Context) -> APIRouter:
    """The routes under `/api/models`, and `/api/retrain`."""
    router = APIRouter(prefix="/api", tags=["models"], responses=PROBLEMS)
    library, settings = context.library, context.settings

    @router.get("/models", response_model=Models)
    def list_models() -> Response:
        """All versions."""
        return _models()

    @router.post("/models/{model_id:int}/activate", response_model=Models)
    def activate(
        model_id: Annotated[int, Path(ge=0, le=2**31 - 1, description="0 for the heuristic alone.")],
    ) -> Response:
        """Let a version rank from now on, once its file was seen to be the one that was trained."""
        activate_model(library, settings, model_id or None)
        return _models()

    @router.post("/retrain", status_code=202, response_model=JobOut)
    def retrain() -> Response:
        """Train on all ratings; the new version ranks when it is not worse than the one before."""
        return job_answer(start_retrain(library, settings), 202)

    def _models() -> Response:
        return JSONResponse({"models": [_document(version) for version in library.models()]})

    return router


def _document(version: ModelVersion) -> dict[str, Any]:
    return {
        "id": version.n,
        "active": version.active,
        "kinds": list(version.kinds),
        "ratings": version.n_ratings,
        "metrics": version.metrics,
        "sha256": version.sha256,
        "created_at": version.created_at,
    }
