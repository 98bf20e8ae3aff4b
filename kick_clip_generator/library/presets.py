"""Presets: settings of a run under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from kick_clip_generator.core.errors import InputError, NotFoundError
from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.store import Store, to_json

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings that somebody kept."""

    id: int
    name: str
    body: dict[str, Any]
    created_at: float
    updated_at: float


class PresetStore(Store):
    """Presets, one of a name."""

    def presets(self) -> list[Preset]:
        """All presets, by name."""
        with self.reading() as session:
            return [_preset(row) for row in session.scalars(select(tables.Preset).order_by(tables.Preset.name))]

    def save_preset(self, name: str, body: Mapping[str, Any]) -> Preset:
        """Keep settings under a name, in the place of those that were there.

        Raises:
            InputError: when the name is empty or too long.
        """
        name = name.strip()
        if not 1 <= len(name) <= LONGEST_NAME:
            raise InputError(f"The name of a preset should have 1 to {LONGEST_NAME} characters.")
        with self.writing() as session:
            row = session.scalar(select(tables.Preset).where(tables.Preset.name == name))
            if row is None:
                row = tables.Preset(name=name, body=to_json(body))
                session.add(row)
            else:
                row.body = to_json(body)
                row.updated_at = database_now()
            session.flush()
            session.refresh(row)
            return _preset(row)

    def delete_preset(self, preset_id: int) -> None:
        """Raises:
        NotFoundError: when there is none of that id.
        """
        with self.writing() as session:
            row = session.get(tables.Preset, preset_id)
            if row is None:
                raise NotFoundError(f"There is no preset {preset_id} in the library; it may have been deleted.")
            session.delete(row)


def _preset(row: tables.Preset) -> Preset:
    return Preset(row.id, row.name, row.body, row.created_at, row.updated_at)
