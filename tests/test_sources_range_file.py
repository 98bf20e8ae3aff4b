"""A file on a server reads like a file on disk."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.http import HttpClient
from kick_clip_generator.sources.range_file import BLOCK_BYTES, RangeFile
from tests.origin import Origin

DATA = random.Random(1).randbytes(9 * BLOCK_BYTES + 77)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    with Origin(tmp_path) as server:
        server.page("/data", DATA)
        yield server


@pytest.fixture
def client() -> Iterator[HttpClient]:
    values = {"allowed_private_hosts": "127.0.0.1", "request_timeout": 2, "max_retries": 1, "backoff_factor": 1}
    with HttpClient(Settings(**values)) as made:  # type: ignore[arg-type]
        yield made


def _open(origin: Origin, client: HttpClient, path: str = "data") -> RangeFile:
    url = origin.url(path)
    return RangeFile(client, client.peek(url, 64), url)


def test_any_reads_and_seeks_give_what_a_file_gives(origin: Origin, client: HttpClient) -> None:
    remote, local = _open(origin, client), io.BytesIO(DATA)
    rng = random.Random(2)
    for _ in range(200):
        whence = rng.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
        low = {os.SEEK_SET: 0, os.SEEK_CUR: -local.tell(), os.SEEK_END: -len(DATA)}[whence]
        offset = rng.randint(low, low + len(DATA) + 10)
        assert remote.seek(offset, whence) == local.seek(offset, whence)
        size = rng.randint(0, 2 * BLOCK_BYTES)
        # A raw file may give less than was asked for, though never nothing before its end.
        got = remote.read(size)
        assert got is not None and (got or not size or local.tell() >= len(DATA))
        assert got == local.read(len(got))
    with pytest.raises(ValueError, match="position"):
        remote.seek(-1)


def test_reading_straight_on_takes_few_requests(origin: Origin, client: HttpClient) -> None:
    assert _open(origin, client).readall() == DATA
    # The peek, then blocks of 2, 4 and 8 times the size.
    assert origin.requests["/data"] == 4


def test_looking_at_both_ends_fetches_no_middle(origin: Origin, client: HttpClient) -> None:
    file = _open(origin, client)
    file.read(10)
    file.seek(-10, os.SEEK_END)
    assert file.read(10) == DATA[-10:]
    ranges = [request.headers["range"].removeprefix("bytes=").split("-") for request in origin.seen[1:]]
    assert sum(int(last) - int(first) for first, last in ranges) < 4 * BLOCK_BYTES


def test_a_drop_is_resumed(origin: Origin, client: HttpClient) -> None:
    file = _open(origin, client)
    origin.truncate("/data", times=1)
    assert file.readall() == DATA


def test_a_file_that_changes_is_refused(origin: Origin, client: HttpClient) -> None:
    file = _open(origin, client)
    file.read(10)
    origin.page("/data", DATA[::-1])
    file.seek(-10, os.SEEK_END)
    with pytest.raises(SourceError) as caught:
        file.read(10)
    assert caught.value.outcome == "changed"
    assert file.failure is caught.value


def test_a_redirect_that_expires_is_followed_anew(origin: Origin, client: HttpClient) -> None:
    origin.redirect("/link", "/data?signed=1")
    file = _open(origin, client, "link")
    origin.page("/moved", DATA)
    origin.redirect("/link", "/moved")
    origin.fail("/data", 404)
    assert file.readall() == DATA
