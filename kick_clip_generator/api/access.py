"""Nobody gets past the login where a password is set, neither to the API nor to the page mounted beside it."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kick_clip_generator.api.problems import problem, problem_of
from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.service.door import Door

SESSION_COOKIE = "clips_session"
LOGIN_PAGE = "/login"
OPEN = frozenset({"/api/health", "/api/session", LOGIN_PAGE})
_LONGEST_SECRET = 200


class OnlyWithLogin:
    """ASGI middleware: lets pass who brings the cookie of a session or `Authorization: Bearer` and a token."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = await run_in_threadpool(self._refusal, headers, client_of(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401})
        elif refusal.status_code == 401 and "text/html" in headers.get("accept", "") and not _is_api(scope):
            await RedirectResponse(LOGIN_PAGE, 303)(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, headers: Headers, client: str) -> Response | None:
        try:
            if not self._door.needs_login or may_pass(headers, client, self._door):
                return None
        except ClipGeneratorError as error:
            return problem_of(error)
        return problem(
            401, "Log in first: open /login, or send a token.", headers={"WWW-Authenticate": 'Bearer realm="clips"'}
        )


def may_pass(headers: Headers, client: str, door: Door) -> bool:
    """Whether a request brings a session or a token.

    Raises:
        TooManyAttempts: too many wrong tokens.
    """
    ways: list[tuple[str, Callable[[str], bool]]] = [
        (bearer_token(headers), lambda token: door.is_token(token, client)),
        (session_of(headers), door.is_session),
    ]
    return any(secret and len(secret) <= _LONGEST_SECRET and knows(secret) for secret, knows in ways)


def bearer_token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def session_of(headers: Headers) -> str:
    """The session that a browser's cookie names; empty without."""
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[SESSION_COOKIE].value if SESSION_COOKIE in cookies else ""


def client_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_api(scope: Scope) -> bool:
    return str(scope["path"]).startswith(("/api/", "/gradio_api/"))
