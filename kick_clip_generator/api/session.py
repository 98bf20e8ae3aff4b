"""Logging in and out, for the page and for the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from kick_clip_generator.api.access import LOGIN_PAGE, SESSION_COOKIE, client_of, may_pass, session_of
from kick_clip_generator.api.body import Body
from kick_clip_generator.api.context import Context
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.service.credentials import MAX_PASSWORD_CHARS
from kick_clip_generator.service.door import SESSION_S, TooManyAttempts

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in – Kick Clip Generator</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body {{ font: 1rem/1.5 system-ui, sans-serif; background: #101318; color: #e8eaed; display: grid; place-items: center;
  min-height: 100vh; margin: 0 }}
main {{ width: min(22rem, 90vw) }} h1 {{ font-size: 1.25rem }} label {{ display: block; margin-bottom: .25rem }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; border-radius: .5rem;
  border: 1px solid #6b7280 }}
input {{ background: #1b2028; color: inherit }}
button {{ background: #53fc18; color: #0b1206; margin-top: 1rem; border: 0; font-weight: 600; cursor: pointer }}
:focus-visible {{ outline: 3px solid #9ecbff; outline-offset: 2px }} [role=alert] {{ color: #ffb4ab }}
</style></head><body><main><h1>Kick Clip Generator</h1><p role="alert">{said}</p>{form}</main></body></html>"""
_LOG_IN = """<form method="post" action="/login"><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button></form>"""
_LOG_OUT = """<p><a style="color:#9ecbff" href="/">Open the page</a></p>
<form method="post" action="/login"><button name="leave" value="yes">Log out</button></form>"""


class LogIn(Body):
    password: str = Field(min_length=1, max_length=MAX_PASSWORD_CHARS)


class Session(BaseModel):
    """Where a client stands."""

    login_needed: bool = Field(description="Whether a password is set.")
    logged_in: bool


def session_router(context: Context) -> APIRouter:
    """The routes `/api/session` and `/login`."""
    router = APIRouter()
    door = context.door

    def inside(request: Request) -> bool:
        return not door.needs_login or may_pass(request.headers, client_of(request.scope), door)

    @router.get("/api/session", tags=["access"], responses=PROBLEMS)
    def session(request: Request) -> Session:
        """Whether a login is needed, and whether this client is logged in."""
        return Session(login_needed=door.needs_login, logged_in=inside(request))

    @router.post("/api/session", tags=["access"], responses=PROBLEMS)
    def log_in(body: LogIn, request: Request, response: Response) -> Session:
        """Log in; the answer sets the cookie of the session. 401 for a wrong password, 429 after too many."""
        _set_cookie(response, request, door.log_in(body.password, client_of(request.scope)))
        return Session(login_needed=True, logged_in=True)

    @router.delete("/api/session", tags=["access"], responses=PROBLEMS)
    def log_out(request: Request, response: Response) -> Session:
        """Log out."""
        door.log_out(session_of(request.headers))
        response.delete_cookie(SESSION_COOKIE)
        return Session(login_needed=door.needs_login, logged_in=False)

    @router.get(LOGIN_PAGE, include_in_schema=False)
    def page(request: Request) -> HTMLResponse:
        return _page("", _LOG_OUT if inside(request) else _LOG_IN)

    @router.post(LOGIN_PAGE, include_in_schema=False)
    def form(
        request: Request,
        password: Annotated[str, Form(max_length=MAX_PASSWORD_CHARS)] = "",
        leave: Annotated[str, Form(max_length=3)] = "",
    ) -> Response:
        if leave:
            door.log_out(session_of(request.headers))
            left = _page("You are logged out.", _LOG_IN)
            left.delete_cookie(SESSION_COOKIE)
            return left
        try:
            secret = door.log_in(password, client_of(request.scope))
        except ClipGeneratorError as error:
            return _page(str(error), _LOG_IN, 429 if isinstance(error, TooManyAttempts) else 401)
        entered = RedirectResponse("/", 303)
        _set_cookie(entered, request, secret)
        return entered

    return router


def _page(said: str, form: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(said=said, form=form), status, {"Cache-Control": "no-store"})


def _set_cookie(response: Response, request: Request, secret: str) -> None:
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=int(SESSION_S),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
