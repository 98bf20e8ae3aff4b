"""Every failure as a problem document (RFC 9457): one sentence in `detail`, which people may be shown as it is."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from kick_clip_generator.core.errors import (
    Cancelled,
    ClipGeneratorError,
    ConflictError,
    LibraryError,
    NotFoundError,
    SourceError,
)
from kick_clip_generator.service.door import TooManyAttempts, WrongPassword
from kick_clip_generator.service.uploads import TooLarge

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"

# When the disk is full or the database locked, somebody must see to it first.
RETRY_LATER_S = 5


class WrongPart(BaseModel):
    """What is wrong where in a request."""

    where: str = Field(description="For instance body.start or query.limit.")
    what: str


class Problem(BaseModel):
    """A problem document, RFC 9457."""

    type: str = Field("about:blank", description="Always about:blank: the status says what kind of problem it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="One sentence for people: what happened, why, and what to do.")
    outcome: str | None = Field(
        None, description="What became of a link, as a stable word such as gone or geo_blocked."
    )
    errors: list[WrongPart] | None = Field(None, description="Of a request that does not fit the schema.")
    trace: str | None = Field(None, description="With DEBUG only.")


# For the description of a route, whatever its status codes are.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem document.",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """A response that says what went wrong."""
    document = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, **more)
    return JSONResponse(
        document.model_dump(mode="json", exclude_none=True), status, dict(headers or {}), media_type=PROBLEM_TYPE
    )


def problem_of(error: ClipGeneratorError) -> Response:
    """The document of an expected failure."""
    match error:
        case TooManyAttempts():
            return problem(429, str(error), headers={"Retry-After": str(error.wait_s)})
        case WrongPassword():
            return problem(401, str(error))
        case TooLarge():
            return problem(413, str(error))
        case NotFoundError():
            return problem(404, str(error))
        case ConflictError() | Cancelled():
            return problem(409, str(error))
        case LibraryError():
            return problem(503, str(error), headers={"Retry-After": str(RETRY_LATER_S)})
        case SourceError():
            return problem(502 if error.retryable else 422, str(error), outcome=error.outcome)
    return problem(422, str(error))


def install_problems(app: FastAPI, *, debug: bool) -> None:
    """Let every failure of the application's routes be a problem document.

    Args:
        debug: show the traceback of what went wrong unexpectedly.
    """

    @app.exception_handler(ClipGeneratorError)
    def expected(_: Request, error: ClipGeneratorError) -> Response:
        return problem_of(error)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        wrong = [WrongPart(where=_where(found["loc"]), what=_readable(found["msg"])) for found in error.errors()]
        first = wrong[0] if wrong else WrongPart(where="the request", what="it does not fit")
        return problem(422, f"{first.where} is not valid: {first.what}.", errors=wrong)

    @app.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> Response:
        detail = error.detail if isinstance(error.detail, str) else HTTPStatus(error.status_code).phrase
        if error.status_code < 400:
            return Response(status_code=error.status_code, headers=error.headers)
        return problem(error.status_code, detail, headers=error.headers)

    @app.exception_handler(Exception)
    def unexpected(_: Request, error: Exception) -> Response:
        detail = f"Something unexpected went wrong ({type(error).__name__}); the log of the server tells more."
        trace = "".join(traceback.format_exception(error)) if debug else None
        return problem(500, detail, trace=trace)


def _where(place: tuple[int | str, ...]) -> str:
    return ".".join(_readable(str(part)) for part in place) or "the request"


def _readable(text: str) -> str:
    # Pydantic repeats what was sent, which may hold lone surrogates that no JSON document can.
    return text.encode("utf-8", "replace").decode("utf-8")[:300].rstrip(".")
