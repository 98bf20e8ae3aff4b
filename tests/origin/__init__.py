"""A small web server to test against: Range requests, counted requests, and everything that goes wrong on the internet.

Use it with `ALLOWED_PRIVATE_HOSTS=127.0.0.1`:

    with Origin(folder) as origin:
        origin.inject("/seg3.ts", First(2, Status(503)))
        source = resolve(origin.url("/index.m3u8"), settings)
        assert origin.requests["/seg3.ts"] == 3

`server` serves, `faults` fail, `media` makes what is served, `virtual` makes ten hours of it on the fly.
"""

from __future__ import annotations

from tests.origin.faults import (
    Agents,
    Drip,
    Empty,
    Fault,
    First,
    Late,
    Page,
    Redirect,
    Reply,
    Reset,
    Seen,
    Shortened,
    Signed,
    Stall,
    Status,
    Truncated,
    random_faults,
    too_many,
)
from tests.origin.media import make_hls, make_media
from tests.origin.server import Origin

__all__ = [
    "Agents",
    "Drip",
    "Empty",
    "Fault",
    "First",
    "Late",
    "Origin",
    "Page",
    "Redirect",
    "Reply",
    "Reset",
    "Seen",
    "Shortened",
    "Signed",
    "Stall",
    "Status",
    "Truncated",
    "make_hls",
    "make_media",
    "random_faults",
    "too_many",
]
