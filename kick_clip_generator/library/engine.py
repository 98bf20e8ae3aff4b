"""How the library connects: the settings of a SQLite connection, and the clock of a database."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Double, Engine, create_engine, event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

# Four writers were measured to wait well under a second for each other; a lock this long is another program's.
BUSY_TIMEOUT_S = 30.0
# A write takes milliseconds; at random, so that two do not meet again and again.
BETWEEN_ATTEMPTS_S = (0.004, 0.02)
BACKUP_FOLDER = "backups"

# A server answers 40 requests at once; a connection to SQLite costs a file handle.
POOL_SIZE, POOL_OVERFLOW = 10, 40

# A NaN would be stored as a word that is no JSON.
dump_json = partial(json.dumps, allow_nan=False)


class database_now(FunctionElement[float]):
    """UNIX seconds by the database's clock: leases are compared across machines, whose own clocks differ."""

    type = Double()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(element: database_now, compiler: SQLCompiler, **_: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42; this has the same millisecond.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "postgresql")
def _postgres_now(element: database_now, compiler: SQLCompiler, **_: Any) -> str:
    # Not now(), which stands still during a transaction.
    return "CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision)"


def make_engine(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """An engine on a SQLite file, whose transactions are of two kinds.

    By default they read: they never take the write lock, and a write in one fails. With the execution option `write`
    they begin with BEGIN IMMEDIATE, because a transaction that reads first and asks for the lock later cannot wait for
    it (measured: 900 of 1,200 such writes were "locked", of immediate ones none).
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_timeout_s},
        json_serializer=dump_json,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself; `_begin` does.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={round(busy_timeout_s * 1000)}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if write else 'ON'}")
        if write:
            _take_the_write_lock(connection, busy_timeout_s)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _take_the_write_lock(connection: Connection, busy_timeout_s: float) -> None:
    """BEGIN IMMEDIATE, asking again at a steady pace while another writes.

    SQLite's own waiting asks ever more seldom, up to ten times a second, so that those who have waited longest lose to
    newcomers: of four busy writers one waited 12 s, and with this 1.2 s.
    """
    cursor = connection.connection.cursor()
    give_up_at = time.monotonic() + busy_timeout_s
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                # Extended codes hold the primary one in their low byte.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise
            time.sleep(random.uniform(*BETWEEN_ATTEMPTS_S))
    finally:
        cursor.execute(f"PRAGMA busy_timeout={round(busy_timeout_s * 1000)}")
        cursor.close()
