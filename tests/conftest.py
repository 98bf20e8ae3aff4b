"""What holds for every test: no ERROR in the log, no network beyond this machine, nobody's own settings or files."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Before the libraries load, as in production.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from databases import library, library_place, own_postgres, postgres_server, postgres_url, redis_server, redis_url  # noqa: F401  # fixtures

from kick_clip_generator.core.settings import Settings

# No test is about wall time, and busy machines are slow.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# Shells have what they put into the background ignore Ctrl-C, and children inherit that; here it is tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

LOOPBACK = ("localhost", "::1", "0.0.0.0", "::", "")


class _ErrorRecords(logging.Handler):
    """Keeps every record of level ERROR and above."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class _NetworkGuard:
    """Refuses and remembers every look-up, connection and datagram that leaves this machine.

    An audit hook, because it sees every library of the process, whatever socket class it uses. A hook cannot be taken
    away again, so it works only between `start` and `stop`.
    """

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self._active = False
        sys.addaudithook(self._audit)

    def start(self) -> None:
        self.attempts.clear()
        self._active = True

    def stop(self) -> list[str]:
        self._active = False
        return list(self.attempts)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active or not event.startswith("socket."):
            return
        if event in ("socket.getaddrinfo", "socket.gethostbyname"):
            self._judge(event, args[0])
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            sock, address = args[0], args[1]
            if sock.family in (socket.AF_INET, socket.AF_INET6) and address:
                self._judge(event, address[0])

    def _judge(self, event: str, host: Any) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        if name in LOOPBACK or name.startswith("127.") or name.startswith("::ffff:127."):
            return
        if name.endswith(".invalid"):
            # Reserved by RFC 2606 to resolve nowhere: the way for a test to say "unknown host".
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.attempts.append(f"{event} {name}")
        raise ConnectionRefusedError(f"the tests allow no network: {event} {name}")


_guard = _NetworkGuard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    errors = _ErrorRecords()
    logging.getLogger().addHandler(errors)
    _guard.start()
    try:
        yield
    finally:
        attempts = _guard.stop()
        logging.getLogger().removeHandler(errors)
    if attempts:
        pytest.fail(f"unexpected network request: {'; '.join(attempts)}", pytrace=False)
    if errors.lines and item.get_closest_marker("allow_error_log") is None:
        pytest.fail(f"ERROR in the log: {'; '.join(errors.lines)}", pytrace=False)


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder: no `.env` is found there, and what a test forgets to redirect lands there."""
    monkeypatch.chdir(tmp_path)
    names = {name.upper() for name in Settings.model_fields}
    for key in [key for key in os.environ if key.upper() in names]:
        monkeypatch.delenv(key)
    # A test that calls `main()` sets up logging for its own folder.
    root, package = logging.getLogger(), logging.getLogger("kick_clip_generator")
    handlers, level = list(root.handlers), package.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    package.setLevel(level)
