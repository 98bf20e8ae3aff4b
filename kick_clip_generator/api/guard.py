"""Who may talk to the server: pages of its own only, although any web page can send requests to 127.0.0.1.

- DNS rebinding: a stranger's page is served under a name that later resolves to 127.0.0.1, and reads what it likes.
  Its requests carry that name as `Host`.
- Cross-site requests: a stranger's page posts a form or a text/plain body, which needs no permission. Its requests
  carry its `Origin`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kick_clip_generator.api.problems import problem

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})

# Gradio compiles templates in the page, hence unsafe-eval. What matters: nothing is fetched from or sent to elsewhere,
# and no other page may put this one into a frame.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class OnlyOwnPages:
    """ASGI middleware: 403 for a strange `Host`, and for a strange `Origin` on anything that may change something.

    Args:
        host: the address the server listens on; it is allowed beside the loopback names. On "every address" (0.0.0.0,
            ::) any literal IP address is: rebinding needs a name.
        names: other names under which the server is reached, e.g. that of a reverse proxy.
    """

    def __init__(self, app: ASGIApp, host: str, names: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = LOOPBACK_NAMES | {host.lower(), *names}
        self._everywhere = host in ("0.0.0.0", "::")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), scope.get("method", "WEBSOCKET"))
        if refusal:
            await _refuse(refusal, scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers, method: str) -> str:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return (
                "This address is not one of the server's own; open it as http://127.0.0.1, or add its name to "
                "ALLOWED_HOSTS."
            )
        origins = headers.getlist("origin")
        if method not in READING and any(not _same_place(origin, hosts[0]) for origin in origins):
            return "This request comes from another page and is refused."
        return ""

    def _is_ours(self, host: str) -> bool:
        name = _name(f"//{host}")
        return name in self._hosts or (self._everywhere and _is_address(name))


async def _refuse(sentence: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4403})
    else:
        await problem(403, sentence)(scope, receive, send)


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _same_place(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
