"""The REST API as one application: its routes, its description, and the guards in front of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from kick_clip_generator import __version__
from kick_clip_generator.api.access import OnlyWithLogin
from kick_clip_generator.api.clips import clips_router
from kick_clip_generator.api.compounds import compounds_router
from kick_clip_generator.api.context import Context
from kick_clip_generator.api.events import events_router
from kick_clip_generator.api.guard import OnlyOwnPages
from kick_clip_generator.api.health import health_router
from kick_clip_generator.api.idempotency import OnlyOnce
from kick_clip_generator.api.jobs import jobs_router
from kick_clip_generator.api.limits import OnlySmallBodies
from kick_clip_generator.api.measured import Measured, Stopwatch
from kick_clip_generator.api.models import models_router
from kick_clip_generator.api.problems import Problem, install_problems, problem
from kick_clip_generator.api.projects import projects_router
from kick_clip_generator.api.session import session_router
from kick_clip_generator.api.stats import stats_router
from kick_clip_generator.api.tokens import tokens_router
from kick_clip_generator.api.transcripts import transcripts_router
from kick_clip_generator.api.webhooks import webhooks_router
from kick_clip_generator.api.work import work_router

ROUTERS: tuple[Callable[[Context], APIRouter], ...] = (
    health_router,
    session_router,
    tokens_router,
    projects_router,
    work_router,
    clips_router,
    compounds_router,
    transcripts_router,
    jobs_router,
    models_router,
    events_router,
    webhooks_router,
)

DESCRIPTION = """\
Everything that the page and the command line can do. Failures are problem documents (RFC 9457); lists turn page by
`after`; what has an `Idempotency-Key` may be sent again. Where a password is set, send `Authorization: Bearer TOKEN`.
"""
GB = 10**9


def build_api(context: Context, **options: Any) -> FastAPI:
    """The application without the page, which is mounted behind these routes; `guard` comes last.

    Args:
        options: further arguments for FastAPI.
    """
    # No documentation pages of FastAPI: they load their scripts from elsewhere.
    app = FastAPI(
        title="Kick Clip Generator",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        **options,
    )
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # FastAPI's own way to change it
    measured = Measured()
    app.state.measured = measured
    install_problems(app, debug=context.settings.debug)
    routers = [*(make_router(context) for make_router in ROUTERS), stats_router(context, measured)]
    for router in routers:
        app.include_router(router)
    # Here and not left to the page mounted behind, which answers in its own way.
    app.mount("/api", _Unknown([route for router in routers for route in router.routes]))
    return app


def guard(app: FastAPI, context: Context) -> None:
    """Put the guards in front of all routes, those of the page, too."""
    settings = context.settings
    # The last one added is asked first.
    app.add_middleware(Stopwatch, measured=app.state.measured)
    app.add_middleware(OnlyOnce, library=context.library)
    app.add_middleware(OnlySmallBodies, upload_bytes=int(settings.upload_limit * GB))
    app.add_middleware(OnlyWithLogin, door=context.door)
    app.add_middleware(OnlyOwnPages, host=settings.host, names=settings.allowed_hosts)


class _Unknown:
    """Answers what no route of the API has taken: 405 where another method would have been, else 404."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = {**scope, "root_path": scope.get("app_root_path", "")}
        allowed = {
            method
            for route in self._routes
            if isinstance(route, Route) and route.matches(asked)[0] is Match.PARTIAL
            for method in route.methods or ()
        }
        if allowed:
            sentence = f"{scope['method'][:20]} is not done here; there is {', '.join(sorted(allowed))}."
            answer = problem(405, sentence, headers={"Allow": ", ".join(sorted(allowed))})
        else:
            answer = problem(404, "There is nothing at this address; /api/openapi.json says what there is.")
        await answer(scope, receive, send)


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        components = schema.setdefault("components", {})
        template = "#/components/schemas/{model}"
        problem_schema = Problem.model_json_schema(ref_template=template)
        components.setdefault("schemas", {}).update(problem_schema.pop("$defs", {}), Problem=problem_schema)
        components["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "clips_session"},
        }
        schema["security"] = [{}, {"token": []}, {"session": []}]
        app.openapi_schema = schema
    return app.openapi_schema
