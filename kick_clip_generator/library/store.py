"""The two kinds of sessions, and the helpers that every part of the library shares."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from kick_clip_generator.core.records import Highlight
from kick_clip_generator.library.explained import explained
from kick_clip_generator.library.postgres import patiently


class Store:
    """A database that is open. Safe to use from several threads.

    Attributes:
        path: the SQLite file; None for PostgreSQL.
        name: what to call the database in a sentence.
    """

    def __init__(self, engine: Engine, path: Path | None, name: str = "") -> None:
        self.path = path
        self.name = name or str(path)
        self._engine = engine
        self._writer = engine.execution_options(write=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the database, never takes the write lock and cannot write."""
        with self._connected(self._engine) as connection, _session(connection) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that holds the write lock from its first statement on, and commits at its end unless one raised."""
        with self._connected(self._writer) as connection, _session(connection) as session:
            yield session
            session.commit()
            connection.commit()

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        """A connection whose transaction has begun."""
        with explained(self.path or self.name), ExitStack() as stack:
            opened: list[Connection] = []

            def begin() -> None:
                with ExitStack() as attempt:
                    connection = attempt.enter_context(engine.connect())
                    connection.begin()
                    stack.push(attempt.pop_all())
                    opened.append(connection)

            patiently(begin)
            yield opened[0]


def _session(connection: Connection) -> Session:
    return Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only")


def nan_if_none(value: float | None) -> float:
    return math.nan if value is None else value


def none_if_nan(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def to_json(value: Any) -> Any:
    """A copy that JSON can hold: numbers of numpy become Python's, what is not finite becomes None."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return none_if_nan(float(value))
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [to_json(item) for item in value]
    return str(value)


def highlight_to_json(highlight: Highlight) -> dict[str, Any]:
    body = highlight.to_dict()
    body["heuristic_score"] = highlight.heuristic_score
    body["ml_score"] = highlight.ml_score
    result: dict[str, Any] = to_json(body)
    return result


def highlight_from_json(body: dict[str, Any]) -> Highlight:
    return replace(
        Highlight.from_dict(body),
        heuristic_score=nan_if_none(body["heuristic_score"]),
        ml_score=nan_if_none(body["ml_score"]),
    )
