"""Hashes of what lets somebody in: passwords, which people choose, and tokens, which the program makes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from typing import Any

from kick_clip_generator.core.errors import InputError

MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 8, 1000

# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html: 16 MB and half a second of an
# ordinary core for each guess.
_N, _R, _P = 2**14, 8, 5
_MAX_MEMORY = 64 * 2**20

# A token has 256 bits by chance, which no cost makes harder to guess; 4 ms are what a request can bear.
_TOKEN_N = 2**10
_TOKEN_BYTES = 32

# So that ten guesses at a time take turns instead of all cores.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A password as the library keeps it; the costs stand beside it, so that they can grow."""

    salt: bytes
    digest: bytes
    n: int
    r: int
    p: int

    def to_dict(self) -> dict[str, Any]:
        salt, digest = (base64.b64encode(part).decode() for part in (self.salt, self.digest))
        return {"salt": salt, "digest": digest, "n": self.n, "r": self.r, "p": self.p}

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> PasswordHash:
        salt, digest = (base64.b64decode(kept[name]) for name in ("salt", "digest"))
        return cls(salt, digest, int(kept["n"]), int(kept["r"]), int(kept["p"]))


def hash_password(password: str) -> PasswordHash:
    """Raises:
    InputError: when it is too short, or absurdly long.
    """
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise InputError(f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters; choose another one.")
    salt = secrets.token_bytes(16)
    return PasswordHash(salt, _scrypt(password, salt, _N, _R, _P), _N, _R, _P)


def is_password(password: str, kept: PasswordHash) -> bool:
    """Whether it is the one; takes the same time whichever it is."""
    if len(password) > MAX_PASSWORD_CHARS:
        return False
    return hmac.compare_digest(_scrypt(password, kept.salt, kept.n, kept.r, kept.p), kept.digest)


def new_token() -> str:
    """A secret for a session or a program."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_token(token: str, key: str) -> str:
    """What the library keeps of a token. The same token always gives the same hash, by which it is found.

    Args:
        key: the server's secret key; without it a stolen library tells not even whether a token fits.
    """
    salt = hashlib.sha256(f"token\0{key}".encode()).digest()
    return hashlib.scrypt(token.encode("utf-8", "replace"), salt=salt, n=_TOKEN_N, r=8, p=1, dklen=32).hex()


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    with _one_at_a_time:
        text = password.encode("utf-8", "surrogatepass")
        return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=32)
