"""What was said: of one project by time, and searched in all of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from kick_clip_generator.api.context import After, Context, Id, Limit, RowId
from kick_clip_generator.api.media import encodable
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.library.transcripts import Line

_Seconds = Annotated[float | None, Query(ge=0, le=360000, allow_inf_nan=False)]


class LineOut(BaseModel):
    start: float
    end: float
    text: str
    speaker: str | None
    words: list[dict[str, Any]]


class TranscriptOut(BaseModel):
    lines: list[LineOut] = Field(description="Empty where nothing was transcribed.")


class FoundOut(BaseModel):
    id: int
    source_id: int
    title: str
    line: LineOut


class FoundPage(BaseModel):
    found: list[FoundOut]
    after: str | None = Field(description="Begins the next page; null at the end.")


def transcripts_router(context: Context) -> APIRouter:
    """The routes `/api/transcripts` and `/api/projects/{id}/transcript`."""
    router = APIRouter(prefix="/api", tags=["transcripts"], responses=PROBLEMS)
    library = context.library

    @router.get("/projects/{project_id:int}/transcript", response_model=TranscriptOut)
    def transcript(project_id: RowId, start: _Seconds = None, end: _Seconds = None) -> Response:
        """What was said, from `start` to `end` in seconds of the stream."""
        source_id = library.project(project_id).source_id
        lines = [] if source_id is None else library.transcript(source_id, start, end)
        return JSONResponse({"lines": [_document(line) for line in lines]})

    @router.get("/transcripts", response_model=FoundPage)
    def search(
        text: Annotated[str, Query(min_length=1, max_length=200)],
        source_id: Id = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Response:
        """Lines in which all the words were said, the newest first; the last word may be half typed."""
        page = library.search_transcripts(text, source_id=source_id, after=after, limit=limit)
        found = [
            {
                "id": one.id,
                "source_id": one.source_id,
                "title": encodable(one.source_title),
                "line": _document(one.line),
            }
            for one in page.items
        ]
        return JSONResponse({"found": found, "after": page.after})

    return router


def _document(line: Line) -> dict[str, Any]:
    """A `LineOut`."""
    return {
        "start": line.start_s,
        "end": line.end_s,
        "text": encodable(line.text),
        "speaker": None if line.speaker is None else encodable(line.speaker),
        "words": list(line.words),
    }
