"""The tables. Only types that SQLite and PostgreSQL share; times are UNIX seconds by the database's clock.

A change here needs a revision under `migrations/versions` and a new `migrate.HEAD`; tests compare the three.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Dialect,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    event,
    func,
    literal_column,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.full_text import FULL_TEXT
from kick_clip_generator.library.list_indexes import LIST_INDEXES

_SURROGATE = re.compile("[\ud800-\udfff]")
_STORED_SURROGATE = re.compile("[\U0010d800-\U0010dfff]")


class StoredText(TypeDecorator[str]):
    """Any Python string.

    File names that are not UTF-8 come as lone surrogates, which no database takes; they are stored as the private-use
    characters of plane 16 with the same last digits and come back as they were. NUL, which PostgreSQL refuses, becomes
    U+FFFD: no path or URL holds one.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # Sorted by code point, as SQLite does, whatever language the PostgreSQL was set up for.
        text = Text(collation="C") if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(text)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return _SURROGATE.sub(lambda found: chr(ord(found[0]) + 0x100000), value.replace("\0", "\ufffd"))

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        if value is None or value.isascii():
            return value
        return _STORED_SURROGATE.sub(lambda found: chr(ord(found[0]) - 0x100000), value)


class Base(DeclarativeBase):
    """Constraints have names, so that a later revision can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {str: StoredText(), float: Double(), dict[str, Any]: JSON(), list[str]: JSON()}


# An id is never given to a second row: a browser tab may still show the first.
_NEVER_REUSE = {"sqlite_autoincrement": True}


class Source(Base):
    __tablename__ = "source"
    # A file that was written anew under its old name is another source: clips of the old one are not its clips.
    __table_args__ = (UniqueConstraint("url", "fingerprint"), _NEVER_REUSE)

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    kind: Mapped[str]
    title: Mapped[str]
    channel: Mapped[str]
    duration_s: Mapped[float | None]
    fingerprint: Mapped[str]
    live: Mapped[bool]
    search: Mapped[str]
    created_at: Mapped[float] = mapped_column(default=database_now())
    updated_at: Mapped[float] = mapped_column(default=database_now())


class Project(Base):
    """A link or file that somebody works on. Its source is known once the link was looked up."""

    __tablename__ = "project"
    __table_args__ = _NEVER_REUSE

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(default="")
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id", ondelete="SET NULL"), index=True)
    # Where its clips go; null for a folder of the source's name under OUTPUT_DIR.
    folder: Mapped[str | None]
    # The download that is kept, if any.
    video_path: Mapped[str | None]
    video_size: Mapped[int | None] = mapped_column(BigInteger)
    video_mtime_ns: Mapped[int | None] = mapped_column(BigInteger)
    video_sha256: Mapped[str | None]
    created_at: Mapped[float] = mapped_column(default=database_now())
    updated_at: Mapped[float] = mapped_column(default=database_now())


class Job(Base):
    __tablename__ = "job"
    __table_args__ = (Index(None, "status", "priority", "not_before"), _NEVER_REUSE)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str]
    step: Mapped[str] = mapped_column(default="")
    progress: Mapped[float] = mapped_column(default=0.0)
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=5)
    priority: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]
    sent_at: Mapped[float | None]
    not_before: Mapped[float | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    idem_key: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[float] = mapped_column(default=database_now())
    updated_at: Mapped[float] = mapped_column(default=database_now())
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    # Batches of windows of a long recording are jobs of their own.
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), index=True)
    # What the progress bar says beside the share: done, total, speed, seconds left, message.
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # For the error log; `error` is the sentence.
    error_detail: Mapped[str | None]
    started_at: Mapped[float | None]
    ended_at: Mapped[float | None]


class Window(Base):
    __tablename__ = "window"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    first_tick: Mapped[int] = mapped_column(BigInteger)
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
    detail: Mapped[dict[str, Any]]
    recorded_at: Mapped[float] = mapped_column(default=database_now())


class Highlight(Base):
    __tablename__ = "highlight"
    __table_args__ = _NEVER_REUSE

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), index=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"))
    kind: Mapped[str]
    score: Mapped[float]
    event_start_s: Mapped[float]
    event_end_s: Mapped[float]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=database_now())


class ModelVersion(Base):
    __tablename__ = "model_version"

    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str]
    sha256: Mapped[str]
    n_ratings: Mapped[int]
    # The newest rating it was trained on: those after it call for the next model.
    last_rating_id: Mapped[int]
    kinds: Mapped[list[str]]
    metrics: Mapped[dict[str, Any]]
    active: Mapped[bool]
    created_at: Mapped[float] = mapped_column(default=database_now())


class Clip(Base):
    """`stars` and `skipped` repeat what `rating` says, so that a page of clips can be filtered and sorted by an index.

    A forgotten clip has no path and shows nowhere; its row stays while ratings refer to it.
    """

    __tablename__ = "clip"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), index=True)
    highlight_id: Mapped[int | None] = mapped_column(ForeignKey("highlight.id", ondelete="SET NULL"), index=True)
    highlight: Mapped[dict[str, Any]]
    kind: Mapped[str]
    path: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    search: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    start_s: Mapped[float]
    end_s: Mapped[float]
    event_start_s: Mapped[float]
    event_end_s: Mapped[float]
    score: Mapped[float]
    cut: Mapped[str]
    model_version_n: Mapped[int | None] = mapped_column(ForeignKey("model_version.n"))
    stars: Mapped[int | None]
    skipped: Mapped[bool] = mapped_column(default=False)
    kept: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float] = mapped_column(default=database_now())
    # The folder that `keep/` and `drop/` lie in. Null in rows of older versions, which knew neither: their own folder.
    home: Mapped[str | None]
    quality: Mapped[str | None]
    moved_at: Mapped[float | None]
    dropped_at: Mapped[float | None]
    # New ends whose file is about to be published: a kill between the file and its row is mended by the next scan.
    announced: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # Whether every frame was decoded: "pending", "sound" or "damaged"; null in rows of older versions.
    checked: Mapped[str | None]
    # What a check found: why the clip was cut in a stricter way, or what is damaged.
    check_note: Mapped[str | None]
    # Since when a scan has not found the file.
    missing_at: Mapped[float | None]

    __table_args__ = _NEVER_REUSE


class ClipFeature(Base):
    __tablename__ = "clip_feature"

    clip_id: Mapped[int] = mapped_column(ForeignKey("clip.id", ondelete="CASCADE"), primary_key=True)
    row: Mapped[dict[str, Any]]


class Rating(Base):
    """Only ever added to: stars, or a label ("keep", "drop", "none" when it was taken back); a skip has neither."""

    __tablename__ = "rating"
    __table_args__ = (Index(None, "clip_id", "id"), _NEVER_REUSE)

    id: Mapped[int] = mapped_column(primary_key=True)
    clip_id: Mapped[int] = mapped_column(ForeignKey("clip.id", ondelete="CASCADE"))
    stars: Mapped[int | None]
    model_version_n: Mapped[int | None] = mapped_column(ForeignKey("model_version.n"))
    created_at: Mapped[float] = mapped_column(default=database_now())
    label: Mapped[str | None]


class CompoundClip(Base):
    """Several stretches in one file."""

    __tablename__ = "compound_clip"
    __table_args__ = _NEVER_REUSE

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    duration_s: Mapped[float]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=database_now())


class Transcript(Base):
    """What was said, a row for each stretch that one speaker says in one go; searched through `transcripts.py`."""

    __tablename__ = "transcript"
    __table_args__ = (Index(None, "source_id", "start_s"), _NEVER_REUSE)

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    start_s: Mapped[float]
    end_s: Mapped[float]
    text: Mapped[str]
    speaker: Mapped[str | None]
    # Of each word: text, start and end in seconds, confidence.
    words: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class Preset(Base):
    """Settings of a run that are kept under a name."""

    __tablename__ = "preset"
    __table_args__ = _NEVER_REUSE

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    body: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=database_now())
    updated_at: Mapped[float] = mapped_column(default=database_now())


class Setting(Base):
    """What the program itself keeps: the password's hash, when the last backup was made."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    updated_at: Mapped[float] = mapped_column(default=database_now())


class ApiToken(Base):
    __tablename__ = "api_token"
    __table_args__ = _NEVER_REUSE

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[float] = mapped_column(default=database_now())
    last_used_at: Mapped[float | None]


class LoginSession(Base):
    __tablename__ = "login_session"

    hash: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[float] = mapped_column(default=database_now())
    expires_at: Mapped[float]


class IdempotencyKey(Base):
    """What a request with an `Idempotency-Key` was answered, so that its repetition is answered the same."""

    __tablename__ = "idempotency_key"

    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int | None]
    body: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[float] = mapped_column(default=database_now())


class Webhook(Base):
    """Who wants to be told when a job ends."""

    __tablename__ = "webhook"
    __table_args__ = _NEVER_REUSE

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    secret: Mapped[str]
    created_at: Mapped[float] = mapped_column(default=database_now())


# A literal, because a bound 0 would not match the index.
STARS_OR_NONE = func.coalesce(Clip.stars, literal_column("0"))


def _sql(statement: str, dialect: str) -> ExecutableDDLElement:
    # DDL() gives % a meaning.
    return DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]


# At most one model ranks. PostgreSQL's form is SQL, because as an option it would import that dialect.
Index("uq_model_version_active", ModelVersion.active, unique=True, sqlite_where=ModelVersion.active).ddl_if("sqlite")
event.listen(
    ModelVersion.__table__,
    "after_create",
    _sql("CREATE UNIQUE INDEX uq_model_version_active ON model_version (active) WHERE active", "postgresql"),
)

for _statement in LIST_INDEXES.values():
    event.listen(Clip.__table__, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
for _dialect, _statements in FULL_TEXT.items():
    for _statement in _statements:
        event.listen(Transcript.__table__, "after_create", _sql(_statement, _dialect))
