"""A small web server to test against: Range requests, counted requests, and everything that goes wrong on the internet.

Use it with `ALLOWED_PRIVATE_HOSTS=127.0.0.1`:

    with Origin(folder) as origin:
        origin.fail("/seg3.ts", 503, times=2)
        source = resolve(origin.url("/index.m3u8"), settings)
        assert origin.requests["/seg3.ts"] == 3
"""

from __future__ import annotations

import gzip
import hashlib
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

from tests.origin.media import make_hls, make_media

__all__ = ["Origin", "Seen", "make_hls", "make_media"]

CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain",
}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; `path` without query."""

    path: str
    query: str
    headers: dict[str, str]


class Origin:
    """Serves a folder on 127.0.0.1 while the context is open.

    Paths are those of URLs ("/a.mp4"), without query. Faults count per request and then pass.

    Attributes:
        requests: how often each path was asked for.
        seen: the requests themselves, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: Counter[str] = Counter()
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self._failures: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
        self._truncations: Counter[str] = Counter()
        self._delays_s: dict[str, float] = {}
        self._redirects: dict[str, str] = {}
        self._types: dict[str, str] = {}
        self._without_ranges: set[str] = set()
        self._gzipped: set[str] = set()
        self._pages: dict[str, bytes] = {}
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
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}/{path.lstrip('/')}"

    def fail(self, path: str, status: int, times: int = 10**6, headers: dict[str, str] | None = None) -> None:
        """Answer the next `times` requests of a path with a status."""
        self._failures[path] = [(status, headers or {})] * times

    def truncate(self, path: str, times: int = 1) -> None:
        """Break off in the middle of the next `times` bodies of a path, though their whole length was announced."""
        self._truncations[path] = times

    def slow(self, path: str, delay_s: float) -> None:
        """Wait before each answer."""
        self._delays_s[path] = delay_s

    def redirect(self, path: str, target: str) -> None:
        """Answer with 302 to an address of any kind."""
        self._redirects[path] = target

    def content_type(self, path: str, value: str) -> None:
        self._types[path] = value

    def ignore_ranges(self, path: str) -> None:
        """Send the whole file whatever part is asked for."""
        self._without_ranges.add(path)

    def gzip(self, path: str) -> None:
        """Compress a path for clients that accept it."""
        self._gzipped.add(path)

    def page(self, path: str, body: bytes) -> None:
        """Serve bytes that are no file of the folder."""
        self._pages[path] = body

    def _note(self, seen: Seen) -> None:
        with self._lock:
            self.requests[seen.path] += 1
            self.seen.append(seen)

    def _fault(self, path: str) -> tuple[int, dict[str, str]] | None:
        with self._lock:
            return self._failures[path].pop() if self._failures[path] else None

    def _truncates(self, path: str) -> bool:
        with self._lock:
            self._truncations[path] -= 1
            return self._truncations[path] >= 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests; other errors are shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: Origin

    def log_message(self, format: str, *args: object) -> None:
        """Tests look at `Origin.seen` instead."""

    def do_GET(self) -> None:
        try:
            self._answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        origin = self.origin
        origin._note(Seen(path, parts.query, {name.lower(): value for name, value in self.headers.items()}))
        if path in origin._delays_s:
            time.sleep(origin._delays_s[path])
        fault = origin._fault(path)
        if fault is not None:
            return self._send(fault[0], fault[1], b"<html>no</html>")
        if path in origin._redirects:
            return self._send(302, {"Location": origin._redirects[path]}, b"")
        body, tag, modified = self._content(path)
        if body is None:
            return self._send(404, {}, b"<html>not found</html>")
        suffix = Path(path).suffix
        kind = origin._types.get(path, CONTENT_TYPES.get(suffix, "application/octet-stream"))
        headers = {"Content-Type": kind, "ETag": f'"{tag}"', "Last-Modified": modified}
        if path in origin._gzipped and "gzip" in self.headers.get("Accept-Encoding", ""):
            return self._send(200, {**headers, "Content-Encoding": "gzip"}, gzip.compress(body), path)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range") in (None, headers["ETag"], modified)
        if wanted is None or path in origin._without_ranges or not unchanged:
            return self._send(200, headers, body, path)
        first = int(wanted[1])
        last = min(int(wanted[2] or len(body) - 1), len(body) - 1)
        if first > last:
            return self._send(416, {"Content-Range": f"bytes */{len(body)}"}, b"")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        self._send(206, headers, body[first : last + 1], path)

    def _content(self, path: str) -> tuple[bytes | None, str, str]:
        """Bytes, entity tag and date of a path."""
        page = self.origin._pages.get(path)
        if page is not None:
            return page, hashlib.sha256(page).hexdigest()[:16], formatdate(0, usegmt=True)
        file = self.origin.folder / path.lstrip("/")
        if not file.is_file():
            return None, "", ""
        facts = file.stat()
        return file.read_bytes(), f"{facts.st_size:x}-{facts.st_mtime_ns:x}", formatdate(facts.st_mtime, usegmt=True)

    def _send(self, status: int, headers: dict[str, str], body: bytes, path: str = "") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if path and self.origin._truncates(path):
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)
