"""The doorbell: a message says no more than "look"; which job is to be done stands in the database.

Huey carries the messages, in a SQLite file beside the library, in PostgreSQL, or in Redis. Its messages are pickles, so
they are signed: one that somebody else put there is not unpacked. A message that is lost costs a second or two, after
which workers look by themselves.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey
from huey.exceptions import ConfigurationError
from huey.serializer import SignedSerializer

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings

log = logging.getLogger(__name__)

Lane = Literal["work", "live"]

LANES: tuple[Lane, ...] = ("work", "live")
# Kinds that would keep an only worker for hours have workers of their own.
OTHER_LANES: Mapping[str, Lane] = {"live": "live"}

# A queue that nobody reads must not grow: a worker that wakes up finds everything.
MOST_MESSAGES = 64
POLL_S = 0.1
# How long PostgreSQL and Redis wait for a message before they say that there is none.
BLOCK_S = 1


def lane_of(kind: str) -> Lane:
    return OTHER_LANES.get(kind, "work")


class Doorbell:
    """Rings for workers, and wakes one; a context manager.

    Args:
        lane: whose bell it is.
    """

    def __init__(self, settings: Settings, secret: str, lane: Lane = "work") -> None:
        self._huey = _huey(settings, secret, f"clips_{lane}")
        self._wake: Any = self._huey.task(name="wake")(_wake)
        # SQLite has nothing to wait on.
        self._blocks = not isinstance(self._huey, SqliteHuey)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of file or connection."""
        close = getattr(self._huey.storage, "close", None)
        if close is not None:
            with contextlib.suppress(Exception):
                close()

    def ring(self, times: int = 1) -> None:
        """Wake so many workers. A queue that cannot be reached is no failure: the job stands in the database."""
        try:
            for _ in range(min(times, MOST_MESSAGES - self._huey.storage.queue_size())):
                self._huey.enqueue(self._wake.s())
        except Exception as error:  # each of the storages raises its own
            log.warning("No worker could be woken up (%s); they look by themselves soon", type(error).__name__)

    def wait(self, timeout_s: float) -> bool:
        """Sleep until somebody rings, but no longer than that; whether somebody rang."""
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0:
            try:
                if self._huey.dequeue() is not None:
                    return True
            except ValueError as error:
                log.warning("A message in the queue was not signed by us and was thrown away: %s", error)
                continue
            except Exception as error:
                log.debug("The queue cannot be reached: %s", error)
                time.sleep(min(left_s, BLOCK_S))
                continue
            if not self._blocks:
                time.sleep(min(left_s, POLL_S))
        return False


def ring(settings: Settings, secret: str, kind: str, times: int = 1) -> None:
    """Ring once for the workers of a kind."""
    try:
        bell = Doorbell(settings, secret, lane_of(kind))
    except InputError:
        raise
    except Exception as error:  # each of the storages raises its own
        log.warning("The queue cannot be reached (%s); workers look by themselves soon", type(error).__name__)
        return
    with bell:
        bell.ring(times)


def _wake() -> None:
    """What a message stands for; it is never executed."""


def _huey(settings: Settings, secret: str, name: str) -> Huey:
    common = {"name": name, "results": False, "serializer": SignedSerializer(secret=secret, salt="kick-clip-generator")}
    url = settings.queue_url or settings.database_url
    if not url:
        # Not the library itself: Huey begins its writes in another way.
        path = settings.database_path.absolute().parent / "queue.db"
        return SqliteHuey(filename=str(path), timeout=10, **common)
    scheme = url.partition("://")[0].partition("+")[0]
    try:
        if scheme in ("redis", "rediss"):
            return RedisHuey(url=url, read_timeout=BLOCK_S, **common)
        if scheme in ("postgresql", "postgres"):
            return _postgres_huey("postgresql://" + url.partition("://")[2], common)
    except ConfigurationError as error:
        raise InputError(f"The queue cannot be used: {error}") from None
    raise InputError(f"QUEUE_URL begins with {scheme!r}; use redis://…, postgresql+psycopg://…, or leave it empty.")


def _postgres_huey(dsn: str, common: dict[str, Any]) -> Huey:
    def opened() -> Huey:
        return PostgresHuey(dsn=dsn, read_timeout=BLOCK_S, table_prefix="queue", **common)

    try:
        return opened()
    except ConfigurationError:
        raise
    except Exception:  # two that make its tables at the same time get in each other's way, once
        return opened()
