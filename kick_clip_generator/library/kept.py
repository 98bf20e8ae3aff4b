"""What the program itself keeps from one start to the next, each value under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete

from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.store import Store, to_json


class KeptStore(Store):
    """Small JSON objects by name."""

    def kept_value(self, name: str) -> dict[str, Any] | None:
        """What is kept under a name, None when nothing is."""
        with self.reading() as session:
            row = session.get(tables.Setting, name)
            return None if row is None else row.value

    def keep_value(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep a value under a name, in the place of what was there."""
        with self.writing() as session:
            row = session.get(tables.Setting, name)
            if row is None:
                session.add(tables.Setting(name=name, value=to_json(value)))
            else:
                row.value = to_json(value)
                row.updated_at = database_now()

    def forget_value(self, name: str) -> None:
        """Nothing happens when there is none."""
        with self.writing() as session:
            session.execute(delete(tables.Setting).where(tables.Setting.name == name))

    def keep_first(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a value unless there is one, and return what is kept: of two that come at once, both get the same."""
        with self.writing() as session:
            row = session.get(tables.Setting, name)
            if row is None:
                row = tables.Setting(name=name, value=to_json(value))
                session.add(row)
            return row.value
