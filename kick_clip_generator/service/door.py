"""Who may come in: one password for page and API, sessions of browsers, tokens of programs."""

from __future__ import annotations

import hmac
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from kick_clip_generator.core.errors import ClipGeneratorError, ConflictError, InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.credentials import PasswordHash, hash_password, hash_token, is_password, new_token
from kick_clip_generator.service.secrets import secret_key
from kick_clip_generator.service.throttle import Throttle

SESSION_S = 14 * 24 * 3600.0
_KEPT_AS = "password"

# What is known of the library may be this old: so long a token that was taken away may still work in another process.
_REMEMBERED_S = 5.0
_REMEMBERED = 1000


class WrongPassword(ClipGeneratorError):
    """The password is another one."""


class TooManyAttempts(ClipGeneratorError):
    """Somebody guesses.

    Attributes:
        wait_s: when the next attempt is looked at.
    """

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many attempts; try again in {wait_s} s.")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: the only time that its text is seen."""

    id: int
    name: str
    token: str


class Door:
    """Asks the library who may come in, and remembers the answer for a moment. Safe for threads."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._settings = settings
        self._key = ""
        self._remembered: OrderedDict[str, tuple[float, bool]] = OrderedDict()
        self._lock = threading.Lock()
        self._password_seen: tuple[float, bool] | None = None
        self._of_client = Throttle(5, 60.0)
        self._of_all = Throttle(60, 60.0)

    @property
    def needs_login(self) -> bool:
        """Whether a password is set, here or by another process."""
        if self._settings.server_password:
            return True
        seen = self._password_seen
        if seen is None or time.monotonic() - seen[0] > 1.0:
            seen = (time.monotonic(), self._library.kept_value(_KEPT_AS) is not None)
            self._password_seen = seen
        return seen[1]

    def log_in(self, password: str, client: str) -> str:
        """A new session for whoever knows the password.

        Args:
            client: the address that asks.

        Returns:
            the secret of the session.

        Raises:
            WrongPassword: it is another one.
            TooManyAttempts: see there.
            ConflictError: no password is set.
        """
        wait_s = max(self._of_client.wait_s(client), self._of_all.wait_s(""))
        if wait_s:
            raise TooManyAttempts(wait_s)
        if not self.needs_login:
            raise ConflictError("No password is set, and none is needed here; set one with: python main.py password")
        # Before it is looked at: many at once must not all be looked at.
        self._of_client.note_failure(client)
        self._of_all.note_failure("")
        if not self._is_password(password):
            raise WrongPassword("The password is wrong.")
        self._of_client.forgive(client)
        session = new_token()
        self._library.add_session(self._hash(session), SESSION_S)
        return session

    def log_out(self, session: str) -> None:
        """End a session; nothing happens when there is none."""
        hashed = self._hash(session)
        self._library.remove_session(hashed)
        self._forget()

    def is_session(self, session: str) -> bool:
        return self._known("session", session, lambda hashed: bool(self._library.session_is_valid(hashed)))

    def is_token(self, token: str, client: str) -> bool:
        """Raises:
        TooManyAttempts: too many wrong ones from that address.
        """
        wait_s = self._of_client.wait_s(f"token {client}")
        if wait_s:
            raise TooManyAttempts(wait_s)
        if self._known("token", token, lambda hashed: self._library.token_by_hash(hashed) is not None):
            return True
        self._of_client.note_failure(f"token {client}")
        return False

    def add_token(self, name: str) -> NewToken:
        token = new_token()
        return NewToken(self._library.add_token(name, self._hash(token)), name, token)

    def remove_token(self, token_id: int) -> None:
        """Raises:
        NotFoundError: when there is none.
        """
        self._library.remove_token(token_id)
        self._forget()

    def _is_password(self, password: str) -> bool:
        if self._settings.server_password:
            given, wanted = (text.encode("utf-8", "replace") for text in (password, self._settings.server_password))
            return hmac.compare_digest(given, wanted)
        kept = self._library.kept_value(_KEPT_AS)
        return kept is not None and is_password(password, PasswordHash.from_dict(kept))

    def _hash(self, token: str) -> str:
        if not self._key:
            self._key = secret_key(self._library, self._settings)
        return hash_token(token, self._key)

    def _known(self, what: str, secret: str, ask: Callable[[str], bool]) -> bool:
        name = f"{what} {secret}"
        with self._lock:
            until_s, answer = self._remembered.get(name, (0.0, False))
        if time.monotonic() < until_s:
            return answer
        answer = ask(self._hash(secret))
        if answer:
            with self._lock:
                self._remembered[name] = (time.monotonic() + _REMEMBERED_S, answer)
                while len(self._remembered) > _REMEMBERED:
                    self._remembered.popitem(last=False)
        return answer

    def _forget(self) -> None:
        with self._lock:
            self._remembered.clear()


def set_password(library: Library, password: str | None) -> None:
    """Set, change or (None) take away the password; all who are logged in must log in again.

    Raises:
        InputError: when it is too short.
    """
    if password is None:
        library.forget_value(_KEPT_AS)
    else:
        library.keep_value(_KEPT_AS, hash_password(password).to_dict())
    library.remove_all_sessions()


def require_password(library: Library, settings: Settings) -> None:
    """Raises:
    InputError: when other computers could come in without a password.
    """
    if is_own(settings.host) or Door(library, settings).needs_login:
        return
    raise InputError(
        f"HOST={settings.host} lets other computers in, and no password is set; set one with "
        "python main.py password (or SERVER_PASSWORD), or leave HOST at 127.0.0.1."
    )


def is_own(host: str) -> bool:
    """Whether an address is reached from this computer alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False
