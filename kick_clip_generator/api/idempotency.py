"""`Idempotency-Key`: a request that is sent again, because its answer got lost, is not done again."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kick_clip_generator.api.limits import UPLOAD_PATH
from kick_clip_generator.api.problems import PROBLEM_TYPE, problem, problem_of
from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.library.library import Library

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotency-Replayed": "true"}
# What holds or answers secrets: of those the library keeps hashes alone.
_SECRET = frozenset({"/api/session", "/api/tokens", "/api/webhooks"})
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_BYTES = 2**18


class OnlyOnce:
    """ASGI middleware: a key is bound to its first request, whose answer is kept and given again.

    Answers of 500 and above are not kept: the request may be sent again under its key.
    """

    def __init__(self, app: ASGIApp, library: Library) -> None:
        self._app = app
        self._library = library

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get(HEADER) if scope["type"] == "http" else None
        path = str(scope["path"]) if key is not None else ""
        if key is None or scope["method"] not in _CHANGING or not path.startswith("/api/") or path in _SECRET:
            await self._app(scope, receive, send)
            return
        if not _KEY.fullmatch(key):
            await problem(422, f"{HEADER} should be 1 to 255 visible characters.")(scope, receive, send)
            return
        fingerprint, receive = await _fingerprint(scope, receive)
        try:
            begun = await run_in_threadpool(self._library.begin_request, key, fingerprint)
        except ClipGeneratorError as error:
            await problem_of(error)(scope, receive, send)
            return
        match begun.state:
            case "new":
                await self._do(key, scope, receive, send)
            case "answered":
                status = begun.status or 200
                media_type = PROBLEM_TYPE if status >= 400 else "application/json"
                answer = JSONResponse(begun.body, status, REPLAYED, media_type) if begun.body else None
                await (answer or Response(status_code=status, headers=REPLAYED))(scope, receive, send)
            case "in_progress":
                sentence = "The first request with this key is still being answered; ask again in a moment."
                await problem(409, sentence, headers={"Retry-After": "1"})(scope, receive, send)
            case _:
                sentence = f"Another request was sent with this {HEADER}; every request needs a key of its own."
                await problem(422, sentence)(scope, receive, send)

    async def _do(self, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0
        body = bytearray()

        async def kept(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body" and len(body) <= _KEPT_BYTES:
                body.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                # Before the client can know: what it has seen is never done a second time.
                await run_in_threadpool(self._note, key, status, bytes(body))
            await send(message)

        try:
            await self._app(scope, receive, kept)
        except BaseException:
            if not status:
                await run_in_threadpool(self._library.forget_request, key)
            raise

    def _note(self, key: str, status: int, body: bytes) -> None:
        try:
            answer: Any = json.loads(body) if body else None
        except ValueError:
            answer = None
        if status >= 500 or len(body) > _KEPT_BYTES or not isinstance(answer, dict | None):
            self._library.forget_request(key)
        else:
            self._library.end_request(key, status, answer)


async def _fingerprint(scope: Scope, receive: Receive) -> tuple[str, Receive]:
    """What tells two requests apart, and a `receive` that gives the body again; a file that is sent stays unread."""
    headers = Headers(scope=scope)
    digest = hashlib.sha256(f"{scope['method']} {scope['path']}\0".encode("utf-8", "replace"))
    digest.update(scope.get("query_string", b"") + b"\0")
    if scope["path"] == UPLOAD_PATH:
        digest.update(headers.get("content-length", "").encode())
        return digest.hexdigest(), receive
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    digest.update(body)
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return digest.hexdigest(), again
