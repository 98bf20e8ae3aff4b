"""Who may come in: tokens and sessions by their hashes, requests that come twice, and who is told of ended jobs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, exists, or_, select, update

from kick_clip_generator.core.errors import ConflictError, LibraryError, NotFoundError
from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.store import Store, to_json

# A program that asks ten times a second must not write ten times a second.
USED_AGAIN_S = 60.0
# A day is how long clients go on trying; a request that never ended was cut off.
REQUEST_LIFETIME_S = 24 * 3600.0
REQUEST_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token of a program; the token itself is not kept. `last_used_at` is right to a minute."""

    id: int
    name: str
    hash: str
    created_at: float
    last_used_at: float | None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that wants to be told when a job ends."""

    id: int
    url: str
    secret: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a request with a key.

    Attributes:
        state: "new": go on and answer it; "answered": give the same answer; "in_progress": another one is at it;
            "different": the key was used for another request.
        status, body: the answer.
    """

    state: Literal["new", "answered", "in_progress", "different"]
    status: int | None = None
    body: dict[str, Any] | None = None


class AccessStore(Store):
    """Hashes alone are kept; how they are made is the caller's business."""

    def add_token(self, name: str, hash: str) -> int:
        """Returns its id.

        Raises:
            ConflictError: when there is that hash.
        """
        with self.writing() as session:
            if session.scalar(select(exists().where(tables.ApiToken.hash == hash))):
                raise ConflictError("There is such a token already; make another one.")
            row = tables.ApiToken(name=name, hash=hash)
            session.add(row)
            session.flush()
            return row.id

    def token_by_hash(self, hash: str) -> ApiToken | None:
        """The token of a hash, None when there is none; notes that it was used."""
        token = tables.ApiToken
        stale = or_(token.last_used_at.is_(None), token.last_used_at < database_now() - USED_AGAIN_S)
        with self.reading() as session:
            found = session.execute(select(token, stale).where(token.hash == hash)).first()
        if found is None:
            return None
        row, is_stale = found
        if is_stale:
            # Whoever reads may do so on a disk that is full, too.
            with contextlib.suppress(LibraryError), self.writing() as session:
                session.execute(update(token).where(token.id == row.id).values(last_used_at=database_now()))
        return _token(row)

    def tokens(self) -> list[ApiToken]:
        """All tokens, the newest first."""
        with self.reading() as session:
            return [_token(row) for row in session.scalars(select(tables.ApiToken).order_by(tables.ApiToken.id.desc()))]

    def remove_token(self, token_id: int) -> None:
        """Raises:
        NotFoundError: when there is none of that id.
        """
        self._remove(tables.ApiToken, token_id, "token")

    def add_session(self, hash: str, lifetime_s: float) -> None:
        """Remember a login; logins that have ended are forgotten."""
        with self.writing() as session:
            session.execute(delete(tables.LoginSession).where(tables.LoginSession.expires_at <= database_now()))
            session.add(tables.LoginSession(hash=hash, expires_at=database_now() + lifetime_s))

    def session_is_valid(self, hash: str) -> bool:
        """Whether somebody logged in with it, and not too long ago."""
        login = tables.LoginSession
        with self.reading() as session:
            return bool(session.scalar(select(exists().where(login.hash == hash, login.expires_at > database_now()))))

    def remove_session(self, hash: str) -> None:
        """Nothing happens when there is none."""
        with self.writing() as session:
            session.execute(delete(tables.LoginSession).where(tables.LoginSession.hash == hash))

    def remove_all_sessions(self) -> None:
        """Everybody has to log in again."""
        with self.writing() as session:
            session.execute(delete(tables.LoginSession))

    def begin_request(self, key: str, fingerprint: str) -> Request:
        """Claim a key for a request, or say what became of the one that had it.

        Keys are forgotten after a day; one whose request was cut off can be used again after ten minutes.

        Args:
            fingerprint: of the method, path and body.
        """
        row_of = tables.IdempotencyKey
        old = or_(
            row_of.created_at < database_now() - REQUEST_LIFETIME_S,
            row_of.status.is_(None) & (row_of.created_at < database_now() - REQUEST_PATIENCE_S),
        )
        with self.writing() as session:
            session.execute(delete(row_of).where(old))
            row = session.get(row_of, key)
            if row is None:
                session.add(row_of(key=key, fingerprint=fingerprint))
                return Request("new")
            if row.fingerprint != fingerprint:
                return Request("different")
            if row.status is None:
                return Request("in_progress")
            return Request("answered", row.status, row.body)

    def end_request(self, key: str, status: int, body: dict[str, Any] | None) -> None:
        """Keep the answer of a request, for those that come with the same key."""
        with self.writing() as session:
            row = tables.IdempotencyKey
            session.execute(update(row).where(row.key == key).values(status=status, body=to_json(body)))

    def forget_request(self, key: str) -> None:
        """Free a key whose request failed in a way that another try may mend."""
        with self.writing() as session:
            session.execute(delete(tables.IdempotencyKey).where(tables.IdempotencyKey.key == key))

    def add_webhook(self, url: str, secret: str) -> Webhook:
        """Tell a URL of ended jobs from now on; a new secret replaces the one that it had."""
        with self.writing() as session:
            row = session.scalar(select(tables.Webhook).where(tables.Webhook.url == url))
            if row is None:
                row = tables.Webhook(url=url, secret=secret)
                session.add(row)
            row.secret = secret
            session.flush()
            return _webhook(row)

    def webhooks(self) -> list[Webhook]:
        """All webhooks, the oldest first."""
        with self.reading() as session:
            return [_webhook(row) for row in session.scalars(select(tables.Webhook).order_by(tables.Webhook.id))]

    def remove_webhook(self, webhook_id: int) -> None:
        """Raises:
        NotFoundError: when there is none of that id.
        """
        self._remove(tables.Webhook, webhook_id, "webhook")

    def _remove(self, table: type[tables.ApiToken | tables.Webhook], number: int, word: str) -> None:
        with self.writing() as session:
            if session.scalar(delete(table).where(table.id == number).returning(table.id)) is None:
                raise NotFoundError(f"There is no {word} {number} in the library; it may have been removed.")


def _token(row: tables.ApiToken) -> ApiToken:
    return ApiToken(row.id, row.name, row.hash, row.created_at, row.last_used_at)


def _webhook(row: tables.Webhook) -> Webhook:
    return Webhook(row.id, row.url, row.secret, row.created_at)
