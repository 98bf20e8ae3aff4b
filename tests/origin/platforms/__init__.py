"""Stand-ins for Kick, Twitch and YouTube: a web proxy on 127.0.0.1 that answers in their place.

Production code runs unmodified: yt-dlp, streamlink and curl_cffi are sent here by the variables that a company's proxy
and certificate authority would set, too. Replies are made by hand after the public sources that each of them names;
nothing here talks to the real sites.

    with Platforms() as platforms:
        for name, value in platforms.env().items():
            monkeypatch.setenv(name, value)
        platforms.answer("kick.com", r"/api/v2/channels/[\\w-]+", {"id": 668, "livestream": None})
        …
        assert platforms.paths("kick.com") == ["/api/v2/channels/xqc"]
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import ssl
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import trustme

__all__ = ["Asked", "Platforms", "Reply", "tls_context"]

HOSTS = (
    "kick.com",
    "*.kick.com",
    "twitch.tv",
    "*.twitch.tv",
    "*.ttvnw.net",
    "youtube.com",
    "*.youtube.com",
    "youtu.be",
    "*.googlevideo.com",
    "*.googleapis.com",
)
"""Hosts that are answered for; every other one is refused and noted."""

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; `path` without query, header names in lower case."""

    host: str
    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer in full; `body` is sent as JSON unless it is text or bytes."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        """The bytes and their type."""
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            kind = "application/vnd.apple.mpegurl" if self.body.startswith("#EXTM3U") else "text/html; charset=utf-8"
            return self.body.encode(), kind
        return json.dumps(self.body).encode(), "application/json"


Handler = Callable[[Asked], Any]
"""Makes a `Reply`, or its body alone."""


class Platforms:
    """Answers for the platforms while the context is open. Later answers go before earlier ones.

    Attributes:
        requests: what was asked, oldest first.
        refused: hosts that somebody tried to reach and that are no platform's.
        unanswered: requests that no answer was made for; they got a 404.
        offline: while true no connection is taken, as without a network.
    """

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.refused: list[str] = []
        self.unanswered: list[Asked] = []
        self.offline = False
        self._answers: list[tuple[str, re.Pattern[str], Any, int]] = []
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="platforms-")
        self._certificate = Path(self._folder.name, "authority.pem")
        _authority().cert_pem.write_to_path(str(self._certificate))
        platforms = self

        class Connection(_Connection):
            pass

        Connection.platforms = platforms
        self._server = _Server(("127.0.0.1", 0), Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Platforms:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()

    def env(self) -> dict[str, str]:
        """What to set in the environment so that clients come here; media of 127.0.0.1 are fetched directly."""
        proxy = f"http://127.0.0.1:{self._server.server_address[1]}"
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return dict.fromkeys(VARIABLES, proxy) | dict.fromkeys(CERTIFICATES, str(self._certificate)) | direct

    def answer(self, host: str, path: str, reply: Any, status: int = 200) -> None:
        """Answer requests from now on.

        Args:
            host: a name, or a pattern such as "*.kick.com".
            path: a regular expression for the whole path, without query.
            reply: a JSON value, text, bytes, a `Reply`, or a function of the request that returns one of them.
            status: of the answer, unless it is a `Reply`.
        """
        with self._lock:
            self._answers.insert(0, (host, re.compile(path), reply, status))

    def forget(self) -> None:
        """Drop all answers and notes."""
        with self._lock:
            for notes in (self._answers, self.requests, self.refused, self.unanswered):
                notes.clear()

    def paths(self, host: str = "*") -> list[str]:
        """The paths that were asked of a host, oldest first."""
        with self._lock:
            return [asked.path for asked in self.requests if fnmatchcase(asked.host, host)]

    def _reply(self, asked: Asked) -> Reply:
        with self._lock:
            self.requests.append(asked)
            found = next(
                (
                    (reply, status)
                    for host, path, reply, status in self._answers
                    if fnmatchcase(asked.host, host) and path.fullmatch(asked.path)
                ),
                None,
            )
            if found is None:
                self.unanswered.append(asked)
                return Reply("<html>not found</html>", 404)
        reply, status = found
        made = reply(asked) if callable(reply) else reply
        return made if isinstance(made, Reply) else Reply(made, status)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are the normal case here."""


class _Connection(BaseHTTPRequestHandler):
    """A client's connection: first to the proxy, after CONNECT to the stand-in of a host."""

    protocol_version = "HTTP/1.1"
    platforms: Platforms
    _host = ""

    def log_message(self, *_: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0].lower()
        if self.platforms.offline or not _is_served(host):
            if not _is_served(host):
                self.platforms.refused.append(host)
            self.close_connection = True
            self.send_error(502)
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        try:
            self.connection = tls_context(host).wrap_socket(self.connection, server_side=True)
        except (OSError, ssl.SSLError):
            self.close_connection = True
            return
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self._host = host
        self.close_connection = False

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        host = self._host or parts.hostname or ""
        if not _is_served(host):
            self.platforms.refused.append(host)
            self.close_connection = True
            self.send_error(502)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.platforms._reply(Asked(host, self.command, parts.path, parts.query, body, headers))
        content, kind = reply.encoded()
        with contextlib.suppress(OSError):
            self.send_response(reply.status)
            for name, value in {"Content-Type": kind, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    do_POST = do_GET
    do_HEAD = do_GET
    do_OPTIONS = do_GET

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        with contextlib.suppress(OSError):
            self.connection.close()


def _is_served(host: str) -> bool:
    return any(fnmatchcase(host, pattern) for pattern in HOSTS)


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA()


@functools.cache
def tls_context(host: str) -> ssl.SSLContext:
    """For a server that clients with `Platforms.env` trust as `host`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # curl would choose HTTP/2 otherwise, which this server does not speak.
    context.set_alpn_protocols(["http/1.1"])
    _authority().issue_cert(host).configure_cert(context)
    return context
