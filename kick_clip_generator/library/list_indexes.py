"""The indexes that lists of clips are read from, as SQL that both databases take.

A row of `clip` is 1.4 KB wide, so looking at each row of 100,000 took 200 ms. Each order has an index that also holds
every column that a filter asks for: a filter that finds nothing then reads 8 MB in order, which takes 10-25 ms.
Forgotten clips are in none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

_FILTERED = "kind, stars, skipped, kept, dropped_at, source_id, created_at, search"

LIST_INDEXES: Mapping[str, str] = {
    name: f"CREATE INDEX {name} ON clip ({key}, {_FILTERED}) WHERE path IS NOT NULL"
    for name, key in {
        "ix_clip_list_newest": "id",
        "ix_clip_list_score": "score, id",
        # Clips without stars stand below one star.
        "ix_clip_list_stars": "coalesce(stars, 0), id",
        "ix_clip_list_name": "name, id",
    }.items()
}
