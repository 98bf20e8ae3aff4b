"""All rows of one database into another, whichever of the two kinds each is.

So a backup of a PostgreSQL library is a `clips.db` like any other, and restoring one is also how a library moves from
SQLite to PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, text

from kick_clip_generator.library.tables import Base

BATCH = 1000


def copy_rows(source: Connection, target: Connection) -> int:
    """Copy every row of the tables; the target's are empty. Returns how many there were."""
    copied = 0
    # Tables that others refer to come first; of a job, its parent has the smaller id.
    for table in Base.metadata.sorted_tables:
        key = list(table.primary_key.columns)
        rows = source.execution_options(yield_per=BATCH).execute(select(table).order_by(*key))
        for batch in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in batch])
            copied += len(batch)
    _continue_numbers(target)
    return copied


def empty_tables(connection: Connection) -> None:
    """Delete every row of a PostgreSQL database."""
    names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    connection.execute(text(f"TRUNCATE TABLE {names}"))


def _continue_numbers(connection: Connection) -> None:
    """PostgreSQL counts ids by itself; SQLite goes on from the greatest."""
    if connection.dialect.name != "postgresql":
        return
    for table in Base.metadata.sorted_tables:
        if table.autoincrement_column is not None and table.autoincrement_column.name == "id":
            greatest = f'(SELECT max(id) FROM "{table.name}")'
            sequence = f"pg_get_serial_sequence('\"{table.name}\"', 'id')"
            connection.execute(text(f"SELECT setval({sequence}, coalesce({greatest}, 1), {greatest} IS NOT NULL)"))
