"""How large a request may be, by what arrives and not by what it says."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kick_clip_generator.api.problems import problem

API_BYTES = 2**20
# Gradio posts what its components hold.
PAGE_BYTES = 64 * 2**20
UPLOAD_PATH = "/api/projects/upload"
# Around the file of a form.
FORM_BYTES = 2**20


class OnlySmallBodies:
    """ASGI middleware: 413 for a body beyond the limit of its path, as soon as it is known.

    Args:
        upload_bytes: what a file that is uploaded may have.
    """

    def __init__(self, app: ASGIApp, upload_bytes: int) -> None:
        self._app = app
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most(str(scope["path"]))
        sentence = f"The request is larger than the {most / 2**20:,.0f} MB that are taken here."
        if (announced := Headers(scope=scope).get("content-length", "")).isdecimal() and int(announced) > most:
            await problem(413, sentence)(scope, receive, send)
            return
        arrived = 0
        started = False

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > most:
                # The one kind that FastAPI lets through while it reads a body.
                raise HTTPException(413, sentence)
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except HTTPException as error:
            if started:
                raise
            await problem(error.status_code, str(error.detail))(scope, receive, send)

    def _most(self, path: str) -> int:
        if path == UPLOAD_PATH:
            return self._upload_bytes + FORM_BYTES
        return API_BYTES if path.startswith("/api/") else PAGE_BYTES
