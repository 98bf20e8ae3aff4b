"""How long requests took, for `/api/metrics`."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """Counts by method, route and status; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._sums_s: Counter[str] = Counter()

    def note(self, method: str, route: str, status: int, took_s: float) -> None:
        with self._lock:
            self._answers[method, route, status] += 1
            self._buckets.setdefault(route, [0] * (len(BUCKETS_S) + 1))[bisect_left(BUCKETS_S, took_s)] += 1
            self._sums_s[route] += took_s  # type: ignore[assignment]  # a Counter adds floats as well

    def lines(self) -> list[str]:
        """In Prometheus' text format."""
        with self._lock:
            answers, sums_s = sorted(self._answers.items()), dict(self._sums_s)
            buckets = {route: list(counts) for route, counts in sorted(self._buckets.items())}
        lines = ["# HELP http_requests_total Requests answered.", "# TYPE http_requests_total counter"]
        for (method, route, status), count in answers:
            lines.append(f'http_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}')
        lines += ["# HELP http_request_seconds Until the answer begins.", "# TYPE http_request_seconds histogram"]
        for route, counts in buckets.items():
            so_far = 0
            for limit, count in zip([*map(str, BUCKETS_S), "+Inf"], counts, strict=True):
                so_far += count
                lines.append(f'http_request_seconds_bucket{{route="{route}",le="{limit}"}} {so_far}')
            lines.append(f'http_request_seconds_sum{{route="{route}"}} {sums_s[route]:.6f}')
            lines.append(f'http_request_seconds_count{{route="{route}"}} {so_far}')
        return lines


class Stopwatch:
    """ASGI middleware: measures every request. Routes are told by their templates, so that there are few."""

    def __init__(self, app: ASGIApp, measured: Measured) -> None:
        self._app = app
        self._measured = measured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "") if str(scope["path"]).startswith("/api/") else "page"
                method = scope["method"] if scope["method"] in _METHODS else "other"
                took_s = time.perf_counter() - began_s
                self._measured.note(method, route or "none", message["status"], took_s)
            await send(message)

        await self._app(scope, receive, noted)
