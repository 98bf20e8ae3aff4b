"""How often somebody may guess."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque


class Throttle:
    """Counts failures in a sliding window, of each name by itself; safe for threads.

    Args:
        most: failures that are allowed within the window.
        window_s: its length.
    """

    # Beyond, the names that failed longest ago are forgotten: an attacker has many addresses, the server's memory ends.
    NAMES = 10_000

    def __init__(self, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, name: str) -> int:
        """Whole seconds until the name may try again; 0 for now."""
        now_s = time.monotonic()
        with self._lock:
            recent = self._recent(name, now_s)
            if len(recent) < self._most:
                return 0
            return max(1, math.ceil(recent[0] + self._window_s - now_s))

    def note_failure(self, name: str) -> None:
        now_s = time.monotonic()
        with self._lock:
            recent = self._recent(name, now_s)
            recent.append(now_s)
            self._failures[name] = recent
            self._failures.move_to_end(name)
            while len(self._failures) > self.NAMES:
                self._failures.popitem(last=False)

    def forgive(self, name: str) -> None:
        """Forget the failures of a name that has shown who it is."""
        with self._lock:
            self._failures.pop(name, None)

    def _recent(self, name: str, now_s: float) -> deque[float]:
        recent = self._failures.get(name, deque(maxlen=self._most))
        while recent and recent[0] <= now_s - self._window_s:
            recent.popleft()
        return recent
