"""Full-text search of transcripts: an FTS5 table on SQLite, an index of `tsvector` on PostgreSQL.

Both fold case and split words at whatever is neither letter nor digit, so that one search finds the same lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORD = re.compile(r"[^\W_]+")

# What PostgreSQL's index and its queries must both say, to the letter. Its own parser would keep "twitch.tv" and "3.5"
# as one word each; the column sorts by code point, which knows no letters but English ones.
TSVECTOR = """to_tsvector('simple', regexp_replace(lower(text COLLATE "default"), '[^[:alnum:]]+', ' ', 'g'))"""

# The FTS5 table holds no text of its own: the triggers keep it in step with the rows.
FULL_TEXT: Mapping[str, Sequence[str]] = {
    "sqlite": (
        "CREATE VIRTUAL TABLE transcript_text USING fts5("
        "text, content='transcript', content_rowid='id', tokenize='unicode61 remove_diacritics 2')",
        "CREATE TRIGGER transcript_text_insert AFTER INSERT ON transcript BEGIN "
        "INSERT INTO transcript_text (rowid, text) VALUES (new.id, new.text); END",
        "CREATE TRIGGER transcript_text_delete AFTER DELETE ON transcript BEGIN "
        "INSERT INTO transcript_text (transcript_text, rowid, text) VALUES ('delete', old.id, old.text); END",
        "CREATE TRIGGER transcript_text_update AFTER UPDATE OF text ON transcript BEGIN "
        "INSERT INTO transcript_text (transcript_text, rowid, text) VALUES ('delete', old.id, old.text); "
        "INSERT INTO transcript_text (rowid, text) VALUES (new.id, new.text); END",
    ),
    "postgresql": (f"CREATE INDEX ix_transcript_text ON transcript USING gin ({TSVECTOR})",),
}


def words_of(text: str) -> list[str]:
    """The words of what somebody typed; everything else in it, operators too, only separates them."""
    return _WORD.findall(text.lower())


def fts5_query(words: Sequence[str]) -> str:
    """Lines with all of the words, the last of which may be half typed."""
    return " ".join([*(f'"{word}"' for word in words[:-1]), f'"{words[-1]}"*'])


def tsquery(words: Sequence[str]) -> str:
    """As `fts5_query`, for `to_tsquery`."""
    return " & ".join([*(f"'{word}'" for word in words[:-1]), f"'{words[-1]}':*"])
