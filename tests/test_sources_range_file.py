"""A file on a server reads like a file on disk."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net import patience
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.range_file import BLOCK_BYTES, RangeFile
from tests.origin import Origin, Reply, Seen

DATA = random.Random(1).randbytes(9 * BLOCK_BYTES + 77)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.02)


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
    # The peek, then 1, 2, 4 and 8 blocks at once; the bytes of the peek are not fetched again.
    assert origin.requests["/data"] == 5
    assert client.traffic.bytes_read == len(DATA)


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


def test_a_line_that_breaks_all_the_time_costs_requests_but_hardly_bytes(origin: Origin, client: HttpClient) -> None:
    file = _open(origin, client)

    def after_300_kb(seen: Seen, honest: Reply) -> Reply:
        return replace(honest, body=honest.body[:300_000], length=len(honest.body), end="close")

    origin.inject("/data", after_300_kb)
    assert file.readall() == DATA
    assert client.traffic.bytes_read == len(DATA)
    assert client.traffic.retries > 3


def test_a_small_file_comes_with_the_first_look(origin: Origin, client: HttpClient) -> None:
    origin.page("/data", DATA[:50])
    assert _open(origin, client).readall() == DATA[:50]
    assert origin.requests["/data"] == 1


@pytest.mark.parametrize("data", [DATA[::-1], DATA[:-1], DATA + b"x", DATA[:100]], ids=len)
def test_a_file_that_changes_is_refused(origin: Origin, client: HttpClient, data: bytes) -> None:
    file = _open(origin, client)
    file.read(10)
    origin.page("/data", data)
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


def test_servers_behind_one_address_may_know_less_of_the_file_than_the_first(
    origin: Origin, client: HttpClient
) -> None:
    def from_another(seen: Seen, honest: Reply) -> Reply | None:
        if "if-range" in seen.headers:
            # As a server that does not know this tag.
            return Reply(200, {}, DATA)
        return replace(honest, headers={**honest.headers, "ETag": "", "Last-Modified": ""})

    file = _open(origin, client)
    origin.inject("/data", from_another)
    assert file.readall() == DATA


def test_an_address_that_expires_is_renewed_and_reading_goes_on(origin: Origin, client: HttpClient) -> None:
    stale: list[str] = []

    def renew(url: str) -> str:
        stale.append(url)
        return origin.url("fresh?sig=2")

    url = origin.url("data?sig=1")
    file = RangeFile(client, client.peek(url, 64), url, renew)
    assert file.read(10) == DATA[:10]
    origin.page("/fresh", DATA)
    origin.fail("/data", 403)
    file.seek(5 * BLOCK_BYTES)
    assert file.readall() == DATA[5 * BLOCK_BYTES :]
    # The new address stays.
    assert stale == [url]
    assert origin.requests["/fresh"] > 1


def test_a_renewed_address_must_lead_to_the_same_file(origin: Origin, client: HttpClient) -> None:
    url = origin.url("data")
    file = RangeFile(client, client.peek(url, 64), url, lambda _: origin.url("fresh"))
    origin.page("/fresh", DATA + b"more")
    origin.fail("/data", 404)
    with pytest.raises(SourceError) as caught:
        file.readall()
    assert caught.value.outcome == "changed"


def test_without_another_address_the_refusal_stands(origin: Origin, client: HttpClient) -> None:
    url = origin.url("data")
    file = RangeFile(client, client.peek(url, 64), url, lambda _: None)
    origin.fail("/data", 403)
    with pytest.raises(SourceError) as caught:
        file.readall()
    assert caught.value.outcome == "blocked"
