"""Everything that goes wrong on the internet, one small class each.

    origin.inject("/ts/index_003.ts", First(2, Status(503)))
    origin.inject("/ts/*.ts", Agents("Firefox", Status(403)))
    origin.inject("*", random_faults(0.05, seed=7))

A fault looks at a request and at the honest answer to it, and gives another answer, or None to let it pass. Any
callable of that form will do. The same requests meet the same faults in every run, whatever thread sends them first.
"""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; `path` without query, header names in lower case, `body` that of a POST."""

    path: str
    query: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """One answer as it goes over the wire.

    Attributes:
        status, headers, body: as they are; `Content-Length` is added.
        length: the announced length; None: that of `body`.
        end: what follows the body: "keep" the connection, "close" it, "reset" it, or "hang" without a word.
        wait_s: silence before the first byte.
        bytes_per_s: how fast the body goes out; 0: as fast as it can.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None
    end: Literal["keep", "close", "reset", "hang"] = "keep"
    wait_s: float = 0.0
    bytes_per_s: float = 0.0

    @property
    def is_media(self) -> bool:
        """Whether it carries a file or a part of one, and no playlist."""
        return self.status in (200, 206) and not self.body.startswith(b"#EXTM3U")

    def part(self, share: float) -> bytes:
        return self.body[: int(len(self.body) * share)]


Fault = Callable[[Seen, Reply], Reply | None]


@dataclass(frozen=True)
class Status:
    """An error page: 403, 404, 410, 429, 5xx …"""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"<html>no</html>"

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return Reply(self.status, self.headers, self.body)


def too_many(retry_after_s: int = 1) -> Status:
    """429 with a Retry-After."""
    return Status(429, {"Retry-After": str(retry_after_s)})


@dataclass(frozen=True)
class Redirect:
    """302 to an address of any kind."""

    target: str

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return Reply(302, {"Location": self.target})


@dataclass(frozen=True)
class Page:
    """Another body with status 200: a web page where media were expected, a playlist of a stranger."""

    body: bytes = b"<!doctype html><html><body>Sorry.</body></html>"
    content_type: str = "text/html; charset=utf-8"

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return Reply(200, {"Content-Type": self.content_type}, self.body)


@dataclass(frozen=True)
class Reset:
    """The connection breaks (RST) in the middle of the body."""

    share: float = 0.5

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return replace(honest, body=honest.part(self.share), length=len(honest.body), end="reset")


@dataclass(frozen=True)
class Truncated:
    """The connection is closed (FIN) in the middle of the body, though its whole length was announced."""

    share: float = 0.5

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return replace(honest, body=honest.part(self.share), length=len(honest.body), end="close")


@dataclass(frozen=True)
class Shortened:
    """Silent truncation: a part of the body, announced as if it were the whole, as a half-filled cache does."""

    share: float = 0.5

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        headers = {name: value for name, value in honest.headers.items() if name != "Content-Range"}
        return replace(honest, status=200, headers=headers, body=honest.part(self.share))


@dataclass(frozen=True)
class Empty:
    """A success of 0 bytes."""

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return Shortened(0.0)(seen, honest)


@dataclass(frozen=True)
class Late:
    """Silence before the answer."""

    wait_s: float

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return replace(honest, wait_s=self.wait_s)


@dataclass(frozen=True)
class Drip:
    """The body arrives, but ever so slowly."""

    bytes_per_s: float

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return replace(honest, bytes_per_s=self.bytes_per_s)


@dataclass(frozen=True)
class Stall:
    """A part of the body arrives, then nothing, though the connection stays."""

    share: float = 0.5

    def __call__(self, seen: Seen, honest: Reply) -> Reply:
        return replace(honest, body=honest.part(self.share), length=len(honest.body), end="hang")


class First:
    """A fault for the first requests of each path only."""

    def __init__(self, times: int, fault: Fault) -> None:
        self._times = times
        self._fault = fault
        self._met: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, seen: Seen, honest: Reply) -> Reply | None:
        with self._lock:
            self._met[seen.path] += 1
            if self._met[seen.path] > self._times:
                return None
        return self._fault(seen, honest)


@dataclass(frozen=True)
class Agents:
    """A fault for user agents in which a pattern is found."""

    pattern: str
    fault: Fault

    def __call__(self, seen: Seen, honest: Reply) -> Reply | None:
        return self.fault(seen, honest) if re.search(self.pattern, seen.headers.get("user-agent", "")) else None


class Signed:
    """Addresses that expire: each answer of `entry` holds a new token, which pays for `after` files.

    A token is handed down: playlists carry the one they were asked with. A request without a token that is still
    worth something is answered 403, playlists included, until `entry` is asked again.
    """

    def __init__(self, entry: str, after: int) -> None:
        self.issued = 0
        self._entry = entry
        self._after = after
        self._spent: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, seen: Seen, honest: Reply) -> Reply | None:
        with self._lock:
            if seen.path == self._entry:
                self.issued += 1
                token = f"t{self.issued}"
                self._spent[token] = 0
                return self._with_token(honest, token)
            token = parse_qs(seen.query).get("token", [""])[0]
            if self._spent.get(token, self._after) >= self._after:
                return Status(403)(seen, honest)
            if not honest.is_media:
                return self._with_token(honest, token)
            self._spent[token] += 1
            return None

    def _with_token(self, playlist: Reply, token: str) -> Reply:
        lines = playlist.body.decode().splitlines()
        signed = [f"{line}?token={token}" if line and not line.startswith("#") else line for line in lines]
        text = re.sub(r'URI="([^"]+)"', rf'URI="\1?token={token}"', "\n".join(signed))
        headers = {name: value for name, value in playlist.headers.items() if name not in ("ETag", "Last-Modified")}
        return replace(playlist, headers=headers, body=f"{text}\n".encode())


ANY_FAILURE: tuple[Fault, ...] = (Status(403), Status(503), Reset(), Truncated())


class _Sometimes:
    def __init__(self, rate: float, kinds: Sequence[Fault], seed: int) -> None:
        self._rate = rate
        self._kinds = kinds
        self._seed = seed
        self._met: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.struck: Counter[str] = Counter()

    def __call__(self, seen: Seen, honest: Reply) -> Reply | None:
        if not honest.is_media:
            return None
        with self._lock:
            self._met[seen.path] += 1
            # By path and turn, so that the order in which threads ask changes nothing.
            chance = random.Random(f"{self._seed} {seen.path} {self._met[seen.path]}")
            if chance.random() >= self._rate:
                return None
            fault = chance.choice(self._kinds)
            self.struck[str(fault.status) if isinstance(fault, Status) else type(fault).__name__] += 1
        return fault(seen, honest)


def random_faults(rate: float, kinds: Sequence[Fault] = ANY_FAILURE, seed: int = 0) -> _Sometimes:
    """A share `rate` of all requests for files, but not for playlists, fail in one of the ways of `kinds`, evenly.

    `struck` of what comes back counts how often each did.
    """
    return _Sometimes(rate, kinds, seed)
