"""Fetching: what is retried, what is not, and that half a body never passes for a whole one."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import Cancelled, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.http import HttpClient
from tests.origin import Origin

BODY = bytes(range(256)) * 400


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    (tmp_path / "data.bin").write_bytes(BODY)
    with Origin(tmp_path) as server:
        yield server


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(_settings()) as made:
        yield made


def _settings(**changes: object) -> Settings:
    values = {"allowed_private_hosts": "127.0.0.1", "request_timeout": 2, "max_retries": 2, "backoff_factor": 1}
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


def _closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_a_body_and_a_range_of_it(origin: Origin, client: HttpClient) -> None:
    assert client.get_bytes(origin.url("data.bin")) == BODY
    assert client.get_bytes(origin.url("data.bin"), (1000, 5000)) == BODY[1000:5000]


def test_a_busy_server_is_asked_again(origin: Origin, client: HttpClient) -> None:
    origin.fail("/data.bin", 503, times=2)
    assert client.get_bytes(origin.url("data.bin")) == BODY
    assert origin.requests["/data.bin"] == 3


def test_retry_after_is_kept(origin: Origin, client: HttpClient) -> None:
    origin.fail("/data.bin", 429, times=1, headers={"Retry-After": "1"})
    began_s = time.monotonic()
    client.get_bytes(origin.url("data.bin"))
    assert time.monotonic() - began_s >= 1.0


def test_a_refusal_is_tried_with_other_user_agents(origin: Origin, client: HttpClient) -> None:
    origin.fail("/data.bin", 403, times=2)
    assert client.get_bytes(origin.url("data.bin")) == BODY
    assert len({request.headers["user-agent"] for request in origin.seen}) == 3


@pytest.mark.parametrize(
    ("status", "outcome", "requests"),
    [(404, "not_found", 1), (403, "blocked", 3), (500, "server", 3), (418, "failed", 1)],
)
def test_a_status_that_stays_is_one_sentence(
    origin: Origin, client: HttpClient, status: int, outcome: str, requests: int
) -> None:
    origin.fail("/data.bin", status)
    with pytest.raises(SourceError, match=r"^http://127\.0\.0\.1:\d+/data\.bin .*\.$") as caught:
        client.get_bytes(origin.url("data.bin") + "?token=s3cret")
    assert caught.value.outcome == outcome
    assert "s3cret" not in str(caught.value)
    assert origin.requests["/data.bin"] == requests


def test_a_truncated_body_is_fetched_again(origin: Origin, client: HttpClient) -> None:
    origin.truncate("/data.bin", times=1)
    assert client.get_bytes(origin.url("data.bin")) == BODY
    origin.truncate("/data.bin", times=9)
    with pytest.raises(SourceError) as caught:
        client.get_bytes(origin.url("data.bin"))
    assert caught.value.outcome == "truncated"


def test_a_truncated_range_goes_on_where_it_stopped(origin: Origin, client: HttpClient) -> None:
    origin.truncate("/data.bin", times=2)
    assert client.get_bytes(origin.url("data.bin"), (0, 80_000)) == BODY[:80_000]
    assert [request.headers["range"] for request in origin.seen] == [
        "bytes=0-79999",
        "bytes=40000-79999",
        "bytes=60000-79999",
    ]


def test_a_range_from_a_server_without_ranges_is_refused(origin: Origin, client: HttpClient) -> None:
    origin.ignore_ranges("/data.bin")
    with pytest.raises(SourceError) as caught:
        client.get_bytes(origin.url("data.bin"), (10, 20))
    assert caught.value.outcome == "no_range"


def test_more_than_the_cap_is_refused_also_when_compressed(origin: Origin, client: HttpClient) -> None:
    origin.gzip("/data.bin")
    assert client.get_bytes(origin.url("data.bin")) == BODY
    for cap in (len(BODY) - 1, 10):
        with pytest.raises(SourceError) as caught:
            client.get_bytes(origin.url("data.bin"), cap=cap)
        assert caught.value.outcome == "too_large"


def test_peek_reads_only_the_beginning(origin: Origin, client: HttpClient) -> None:
    ranged = client.peek(origin.url("data.bin"), 100)
    origin.ignore_ranges("/data.bin")
    whole = client.peek(origin.url("data.bin"), 100)
    assert ranged.body == whole.body == BODY[:100]
    assert (ranged.status, whole.status) == (206, 200)
    assert ranged.size == whole.size == len(BODY)


def test_a_server_that_never_answers_times_out(origin: Origin) -> None:
    origin.slow("/data.bin", 3)
    with HttpClient(_settings(request_timeout=0.2, max_retries=1)) as client, pytest.raises(SourceError) as caught:
        client.get_bytes(origin.url("data.bin"))
    assert caught.value.outcome == "timeout"
    assert origin.requests["/data.bin"] == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "nobody.invalid"])
def test_an_unreachable_host_is_given_up_soon(client: HttpClient, host: str) -> None:
    with pytest.raises(SourceError, match="check the address and your connection") as caught:
        client.get_bytes(f"http://{host}:{_closed_port()}/x.mp4")
    assert caught.value.outcome == "unreachable"


def test_plain_http_behind_https_is_a_tls_error(origin: Origin) -> None:
    with HttpClient(_settings(max_retries=0)) as client, pytest.raises(SourceError) as caught:
        client.get_bytes(origin.url("data.bin").replace("http:", "https:"))
    assert caught.value.outcome == "tls"


def test_loopback_is_refused_unless_allowed(origin: Origin) -> None:
    with HttpClient(Settings()) as client, pytest.raises(SourceError, match="ALLOWED_PRIVATE_HOSTS"):
        client.get_bytes(origin.url("data.bin"))
    assert not origin.requests


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/meta", "http://10.0.0.1/", "http://[::1]/", "http://localhost/", "file:///etc/passwd"],
)
def test_a_redirect_leads_to_no_private_place(origin: Origin, client: HttpClient, target: str) -> None:
    origin.redirect("/away", target)
    with pytest.raises(SourceError) as caught:
        client.get_bytes(origin.url("away"))
    assert caught.value.outcome == "refused"
    assert origin.requests["/away"] == 1


def test_redirects_are_followed_and_end(origin: Origin, client: HttpClient) -> None:
    origin.redirect("/away", "data.bin")
    origin.redirect("/round", "/round")
    reply = client.get(origin.url("away"))
    assert (reply.body, reply.url) == (BODY, origin.url("data.bin"))
    with pytest.raises(SourceError) as caught:
        client.get(origin.url("round"))
    assert caught.value.outcome == "redirects"


def test_secrets_reach_no_log(origin: Origin, client: HttpClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    origin.fail("/data.bin", 503, times=1)
    client.get_bytes(origin.url("data.bin").replace("//", "//bob:hunter2@") + "?token=s3cret")
    assert caplog.text
    assert "s3cret" not in caplog.text and "hunter2" not in caplog.text


@pytest.mark.timeout(10)
def test_cancel_ends_a_wait_for_a_server(origin: Origin) -> None:
    origin.slow("/data.bin", 60)
    cancel = CancelToken()
    threading.Timer(0.2, cancel.cancel).start()
    with HttpClient(_settings(request_timeout=60), cancel) as client, pytest.raises(Cancelled):
        client.get_bytes(origin.url("data.bin"))


@pytest.mark.timeout(10)
def test_close_ends_a_wait_in_another_thread(origin: Origin) -> None:
    origin.slow("/data.bin", 60)
    client = HttpClient(_settings(request_timeout=60))
    threading.Timer(0.2, client.close).start()
    with pytest.raises(Cancelled):
        client.get_bytes(origin.url("data.bin"))
