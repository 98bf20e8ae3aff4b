"""Servers of the tests' own: PostgreSQL and Redis, each on a free port of this machine, gone when the tests end.

`conftest.py` imports the fixtures, so that one server serves all test files.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.library.library import Library

START_S = 60.0
# "nobody": PostgreSQL refuses to run as root.
_ORDINARY_USER = 65534


class PostgresServer:
    """A PostgreSQL with a data folder of its own and no passwords.

    Args:
        programs: where `initdb` and `postgres` lie.
        folder: an empty folder that an ordinary user can reach.
        durable: whether a commit waits for the disk, which only tests about power cuts need.
    """

    def __init__(self, programs: Path, folder: Path, *, durable: bool = False) -> None:
        self._programs = programs
        self._folder = folder
        self._durable = durable
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        if os.geteuid() == 0:
            os.chown(folder, _ORDINARY_USER, _ORDINARY_USER)
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*initdb, "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, **_as_ordinary_user())
        self.start()

    def start(self) -> None:
        """Start, and wait until connections are taken."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._folder),
            "fsync": "on" if self._durable else "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    "-D",
                    self._folder / "data",
                    *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_as_ordinary_user(),
            )
        end = time.monotonic() + START_S
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tests"]
        while subprocess.run(ready, check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """As `pg_ctl stop -m immediate`: connections break, nothing is finished."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(START_S)

    def restart(self) -> None:
        """As `pg_ctl restart -m immediate`: like a crash, at the same port."""
        self.stop()
        self.start()

    def execute(self, statement: str, database: str = "postgres") -> str:
        """What `psql` prints for a statement."""
        command = [self._programs / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tests", "-d", database]
        done = subprocess.run(
            [*command, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def new_database(self) -> str:
        """The URL of an empty database, as DATABASE_URL takes it."""
        name = f"clips_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://tests@127.0.0.1:{self.port}/{name}"


def start_postgres(folder: Path, *, durable: bool = False) -> PostgresServer:
    """A server of one test's own, to stop and restart; skips the test where PostgreSQL is absent.

    Args:
        folder: empty; an ordinary user must reach it, as one of `ordinary_folder()`.
    """
    pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'kick-clip-generator[postgres]').")
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql).")
    return PostgresServer(programs, folder, durable=durable)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests; a test that stops or restarts it takes `own_postgres`."""
    folder = ordinary_folder("postgres-")
    try:
        server = start_postgres(folder)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that a test may stop and restart, whose commits wait for the disk."""
    folder = ordinary_folder("own-postgres-")
    try:
        server = start_postgres(folder, durable=True)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """An empty database."""
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[int]:
    """The port of a Redis that keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed (apt-get install redis-server).")
    pytest.importorskip("redis", reason="redis is not installed (pip install 'kick-clip-generator[redis]').")
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        process = subprocess.Popen(
            [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            end = time.monotonic() + START_S
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("Redis did not start")
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(START_S)


@pytest.fixture
def redis_url(redis_server: int) -> str:
    """An empty Redis, as QUEUE_URL takes it."""
    with socket.create_connection(("127.0.0.1", redis_server), timeout=10) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(16) == b"+OK\r\n"
    return f"redis://127.0.0.1:{redis_server}/0"


@pytest.fixture(params=["sqlite", "postgresql"])
def library_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """An empty database of either kind, as `Library.open` takes it: tests that use it run once on each."""
    if request.param == "sqlite":
        return tmp_path / "clips.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def library(library_place: Path | str) -> Iterator[Library]:
    """A new library on SQLite and on PostgreSQL: tests that use it run once on each."""
    with Library.open(library_place) as opened:
        yield opened


def ordinary_folder(prefix: str) -> Path:
    """A new folder outside pytest's own, which only its owner can reach."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    return folder


def _postgres_programs() -> Path | None:
    # Debian keeps the server's programs off PATH, one folder a version.
    def version(folder: Path) -> float:
        try:
            return float(folder.parent.name)
        except ValueError:
            return 0.0

    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version)
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    return next((folder for folder in reversed(found) if (folder / "postgres").is_file()), None)


def _as_ordinary_user() -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    return {"user": _ORDINARY_USER, "group": _ORDINARY_USER, "extra_groups": (), "cwd": "/"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
