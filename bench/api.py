"""The REST API under load: pages of 100,000 clips at a steady rate, and 50 clients at once with mixed requests."""

from __future__ import annotations

import argparse
import dataclasses
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from bench.library import _query, fill
from kick_clip_generator.library.library import Library

ROOT = Path(__file__).parents[1]
RATE_HZ = 20.0
CLIENTS = 50
START_S = 120.0
DEFAULTS = {field.name: field.default for field in dataclasses.fields(type(_query(random.Random(0))))}

Ask = Callable[[random.Random], tuple[str, str, str | None]]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench api", description=__doc__)
    parser.add_argument("--clips", type=int, default=100_000, metavar="N")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of the steady rate")
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="of all clients together")
    parser.add_argument("--database", metavar="URL or FILE", help="default: a new SQLite file; filled when empty")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        place = args.database or str(Path(folder, "clips.db"))
        with Library.open(place) as library:
            if not library.sources():
                fill(library, args.clips)
        with serving(place, Path(folder)) as port:
            steady = open_loop(port, args.seconds)
            mixed, errors, took_s = closed_loop(port, args.requests, args.clips)
    figures = {
        "steady_p50_ms": _percentile(steady, 50),
        "steady_p95_ms": _percentile(steady, 95),
        "steady_p99_ms": _percentile(steady, 99),
        "mixed_per_s": round(len(mixed) / took_s, 1),
        "mixed_p50_ms": _percentile(mixed, 50),
        "mixed_p95_ms": _percentile(mixed, 95),
        "errors": sum(errors.values()),
    }
    print(f"{RATE_HZ:g} a second for {args.seconds:g} s, random filters and sorts of {args.clips} clips:")
    print("  p50 {steady_p50_ms} ms, p95 {steady_p95_ms} ms, p99 {steady_p99_ms} ms".format(**figures))
    print(f"{CLIENTS} clients, {len(mixed)} mixed requests:")
    print("  {mixed_per_s} a second, p50 {mixed_p50_ms} ms, p95 {mixed_p95_ms} ms, {errors} errors".format(**figures))
    for what, count in errors.most_common(10):
        print(f"    {count} × {what}")
    if args.json:
        args.json.write_text(json.dumps(figures))
    return 0


@contextmanager
def serving(place: str, folder: Path) -> Iterator[int]:
    """The server of the product on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    kind = "DATABASE_URL" if "://" in place else "DATABASE_PATH"
    environment = {**os.environ, kind: place, "PYTHONPATH": str(ROOT), "OUTPUT_DIR": str(folder / "clips")}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), "serve", "--port", str(port)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if "http" not in process.stdout.readline():
            raise SystemExit("the server did not start")
        deadline_s = time.monotonic() + START_S
        while True:
            try:
                if _get(_connect(port), "GET", "/api/health", None)[0] == 200:
                    break
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
            time.sleep(0.1)
        time.sleep(5)  # the workers are still importing
        yield port
    finally:
        process.terminate()
        process.wait(30)


def open_loop(port: int, seconds: float) -> list[float]:
    """Milliseconds from when each request was due: one that waits for another counts its waiting."""
    rng = random.Random(5)
    due = [n / RATE_HZ for n in range(round(seconds * RATE_HZ))]
    local = threading.local()
    began_s = time.perf_counter()

    def ask(at_s: float, path: str) -> float:
        if not hasattr(local, "connection"):
            local.connection = _connect(port)
        try:
            status, body = _get(local.connection, "GET", path, None)
        except http.client.RemoteDisconnected:
            # Servers close what is silent for some seconds, and clients know that.
            local.connection = _connect(port)
            status, body = _get(local.connection, "GET", path, None)
        if status != 200:
            raise SystemExit(f"{path}: {status} {body[:300]!r}")
        return (time.perf_counter() - began_s - at_s) * 1000

    with ThreadPoolExecutor(16) as pool:
        asked = []
        for at_s in due:
            time.sleep(max(0.0, began_s + at_s - time.perf_counter()))
            asked.append(pool.submit(ask, at_s, f"/api/clips?{_parameters(rng)}"))
        return [one.result() for one in asked]


def closed_loop(port: int, requests: int, clips: int) -> tuple[list[float], Counter[str], float]:
    """50 clients, each asking again as soon as it was answered; an error is any status from 500 on, or none."""
    times: list[float] = []
    errors: Counter[str] = Counter()
    lock = threading.Lock()

    def client(number: int) -> None:
        rng = random.Random(number)
        connection = _connect(port)
        for _ in range(requests // CLIENTS):
            method, path, body = _any_request(rng, clips)
            began_s = time.perf_counter()
            try:
                status, _ = _get(connection, method, path, body)
            except (OSError, http.client.HTTPException) as error:
                connection = _connect(port)
                status = 0
                with lock:
                    errors[f"{method} {path.partition('?')[0]} {type(error).__name__}"] += 1
            with lock:
                times.append((time.perf_counter() - began_s) * 1000)
                if status >= 500:
                    errors[f"{method} {path.partition('?')[0]} {status}"] += 1

    began_s = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return times, errors, time.perf_counter() - began_s


def _any_request(rng: random.Random, clips: int) -> tuple[str, str, str | None]:
    clip, project = rng.randint(1, clips), rng.randint(1, max(1, clips // 50))
    reading: tuple[str, ...] = (
        f"/api/clips?{_parameters(rng)}",
        f"/api/clips/{clip}",
        f"/api/projects/{project}",
        f"/api/projects/{project}/clips?limit=24",
        f"/api/projects/{project}/timeline",
        "/api/projects?limit=24",
        "/api/jobs",
        "/api/models",
        f"/api/transcripts?{urlencode({'text': rng.choice(('clutch ace', 'boss fight', 'zzq'))})}",
        "/api/health",
    )
    if rng.random() < 0.9:
        return "GET", rng.choice(reading), None
    writing: tuple[tuple[str, object], ...] = (
        (f"/api/clips/{clip}/rating", {"stars": None}),
        ("/api/projects/url", {"url": f"https://example.com/new/{rng.randrange(500)}.mp4"}),
        (f"/api/projects/{project}/output-folder", {"folder": None}),
    )
    path, document = rng.choice(writing)
    return "POST", path, json.dumps(document)


def _parameters(rng: random.Random) -> str:
    wanted = dataclasses.asdict(_query(rng))
    return urlencode({name: value for name, value in wanted.items() if value != DEFAULTS[name] and value is not None})


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def _get(connection: http.client.HTTPConnection, method: str, path: str, body: str | None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _percentile(times: list[float], share: float) -> float:
    return round(float(np.percentile(times, share)), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
