"""What was asked of servers, counted."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was asked of servers so far.

    Attributes:
        requests: all of them: redirects, retries, and those that found nobody included.
        retries: attempts that followed a failed one.
        bytes_read: of bodies, as they came over the network, also of those that broke off.
    """

    requests: int = 0
    retries: int = 0
    bytes_read: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.requests + other.requests, self.retries + other.retries, self.bytes_read + other.bytes_read)


class Meter:
    """Counts the traffic of one client; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = self._retries = self._bytes_read = 0

    def add(self, *, requests: int = 0, retries: int = 0, bytes_read: int = 0) -> None:
        with self._lock:
            self._requests += requests
            self._retries += retries
            self._bytes_read += bytes_read

    def read(self) -> Traffic:
        with self._lock:
            return Traffic(self._requests, self._retries, self._bytes_read)
