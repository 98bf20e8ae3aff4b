"""A small web server to test against: Range requests, counted requests and bytes, and faults on demand."""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

from tests.origin.faults import Fault, First, Redirect, Reply, Seen, Signed, Status, Truncated

CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain",
}
WRITE_BYTES = 2**15

Content = Callable[[Seen], bytes | Reply | None]
"""Makes what is served at a path, or a whole answer; None for what is not there."""


class Origin:
    """Serves a folder on 127.0.0.1 while the context is open.

    Paths are those of URLs ("/a.mp4"), without query; where faults go, they may be patterns ("/ts/*.ts").

    Attributes:
        requests: how often each path was asked for.
        bytes_sent: bytes of bodies that went out per path.
        seen: the requests themselves, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: Counter[str] = Counter()
        self.bytes_sent: Counter[str] = Counter()
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        # Newest first.
        self._faults: list[tuple[str, str, Fault]] = []
        self._delays_s: dict[str, float] = {}
        self._types: dict[str, str] = {}
        self._without_ranges: set[str] = set()
        self._gzipped: set[str] = set()
        self._pages: dict[str, Content] = {}
        self._mounts: dict[str, Content] = {}
        origin = self

        class Handler(_Handler):
            pass

        Handler.origin = origin
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Origin:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}/{path.lstrip('/')}"

    def inject(self, where: str, fault: Fault) -> None:
        """Let a fault judge all requests of a path or pattern; the newest that gives an answer has its way."""
        self._faults.insert(0, ("", where, fault))

    def heal(self) -> None:
        """Take all faults and delays away."""
        self._faults.clear()
        self._delays_s.clear()

    def forget(self) -> None:
        """Count anew."""
        with self._lock:
            self.requests.clear()
            self.bytes_sent.clear()
            self.seen.clear()

    def fail(self, path: str, status: int, times: int = 10**6, headers: dict[str, str] | None = None) -> None:
        """Answer the next `times` requests of a path with a status."""
        self._set("fail", path, First(times, Status(status, headers or {})))

    def truncate(self, path: str, times: int = 1) -> None:
        """Break off in the middle of the next `times` bodies of a path, though their whole length was announced."""
        cut = First(times, Truncated())
        self._set("truncate", path, lambda seen, honest: cut(seen, honest) if honest.status in (200, 206) else None)

    def slow(self, path: str, delay_s: float) -> None:
        """Wait before each answer, whatever it is."""
        self._delays_s[path] = delay_s

    def redirect(self, path: str, target: str) -> None:
        """Answer with 302 to an address of any kind."""
        self._set("redirect", path, Redirect(target))

    def sign(self, entry: str, *, after: int) -> Signed:
        """Let everything beside the playlist `entry` be had only with a token that it gave; see `Signed`."""
        signed = Signed(entry, after)
        self.inject(f"{entry.rpartition('/')[0]}/*", signed)
        return signed

    def content_type(self, path: str, value: str) -> None:
        self._types[path] = value

    def ignore_ranges(self, path: str) -> None:
        """Send the whole file whatever part is asked for."""
        self._without_ranges.add(path)

    def gzip(self, path: str) -> None:
        """Compress a path for clients that accept it."""
        self._gzipped.add(path)

    def page(self, path: str, body: bytes | Content) -> None:
        """Serve bytes that are no file of the folder, or what a callable makes of each request."""
        self._pages[path] = body if callable(body) else lambda seen: body

    def mount(self, prefix: str, content: Content) -> None:
        """Let a callable serve all paths that begin with a prefix."""
        self._mounts[prefix] = content

    def _set(self, name: str, path: str, fault: Fault) -> None:
        kept = [one for one in self._faults if one[:2] != (name, path)]
        self._faults = [(name, path, fault), *kept]

    def note(self, seen: Seen) -> None:
        """Count a request."""
        with self._lock:
            self.requests[seen.path] += 1
            self.seen.append(seen)

    def sent(self, path: str, size: int) -> None:
        """Count bytes that went out."""
        with self._lock:
            self.bytes_sent[path] += size

    def answer(self, seen: Seen) -> Reply:
        """What goes out: the honest answer, or what a fault makes of it."""
        honest = self._honest(seen)
        for _, where, fault in list(self._faults):
            if where == seen.path or fnmatchcase(seen.path, where):
                reply = fault(seen, honest)
                if reply is not None:
                    honest = reply
                    break
        return replace(honest, wait_s=honest.wait_s + self._delays_s.get(seen.path, 0.0))

    def _honest(self, seen: Seen) -> Reply:
        path = seen.path
        found = self._content(seen)
        if found is None:
            return Reply(404, {}, b"<html>not found</html>")
        if isinstance(found, Reply):
            return found
        body, tag, modified = found
        kind = self._types.get(path, CONTENT_TYPES.get(Path(path).suffix, "application/octet-stream"))
        headers = {"Content-Type": kind, "ETag": f'"{tag}"', "Last-Modified": modified}
        if path in self._gzipped and "gzip" in seen.headers.get("accept-encoding", ""):
            return Reply(200, {**headers, "Content-Encoding": "gzip"}, gzip.compress(body))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", seen.headers.get("range", ""))
        unchanged = seen.headers.get("if-range") in (None, headers["ETag"], modified)
        if wanted is None or path in self._without_ranges or not unchanged:
            return Reply(200, headers, body)
        first = int(wanted[1])
        last = min(int(wanted[2] or len(body) - 1), len(body) - 1)
        if first > last:
            return Reply(416, {"Content-Range": f"bytes */{len(body)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return Reply(206, headers, body[first : last + 1])

    def _content(self, seen: Seen) -> tuple[bytes, str, str] | Reply | None:
        """Bytes, entity tag and date of a path, or a whole answer."""
        makers = [maker for prefix, maker in self._mounts.items() if seen.path.startswith(prefix)]
        maker = self._pages.get(seen.path) or (makers[-1] if makers else None)
        if maker is not None:
            made = maker(seen)
            if made is None or isinstance(made, Reply):
                return made
            return made, hashlib.sha256(made).hexdigest()[:16], formatdate(0, usegmt=True)
        file = self.folder / seen.path.lstrip("/")
        if not file.is_file():
            return None
        facts = file.stat()
        return file.read_bytes(), f"{facts.st_size:x}-{facts.st_mtime_ns:x}", formatdate(facts.st_mtime, usegmt=True)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests; other errors are shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise a body waits for the acknowledgement of its headers (40 ms).
    disable_nagle_algorithm = True
    origin: Origin

    def log_message(self, format: str, *args: object) -> None:
        """Tests look at `Origin.seen` instead."""

    def do_GET(self) -> None:
        try:
            self._answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_POST = do_GET

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        seen = Seen(unquote(parts.path), parts.query, headers, self.command, body)
        self.origin.note(seen)
        reply = self.origin.answer(seen)
        if reply.wait_s:
            self.origin.closing.wait(reply.wait_s)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.end_headers()
        if self.command != "HEAD":
            self._pour(seen.path, reply)
        if reply.end != "keep":
            self.close_connection = True
        if reply.end == "reset":
            # A linger of 0 s makes closing a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif reply.end == "hang":
            self.origin.closing.wait(120)

    def _pour(self, path: str, reply: Reply) -> None:
        step = max(1, int(reply.bytes_per_s / 20)) if reply.bytes_per_s else WRITE_BYTES
        for at in range(0, len(reply.body), step):
            # Counted first: a client that has the whole body may look at the count before this thread goes on.
            self.origin.sent(path, len(reply.body[at : at + step]))
            self.wfile.write(reply.body[at : at + step])
            if reply.bytes_per_s and self.origin.closing.wait(step / reply.bytes_per_s):
                return
