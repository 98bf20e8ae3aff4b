"""Fetching: what is retried, what is not, and that half a body never passes for a whole one."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from urllib3.util.request import ACCEPT_ENCODING

from kick_clip_generator.core.errors import Cancelled, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.net import patience
from kick_clip_generator.sources.net.browser import browser_headers
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import HttpClient, Traffic
from tests.origin import Agents, Drip, Empty, Fault, Origin, Redirect, Reply, Reset, Seen, Status

BODY = bytes(range(256)) * 400
SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.02)


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


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Origin]:
    """Another server: same address, another port, and reached under another name."""
    with Origin(tmp_path) as server:
        yield server


def _carry(origin: Origin, **headers: str) -> Carry:
    """What a resolver gave for the origin, with a cookie for it."""
    cookie = "\t".join(("127.0.0.1", "FALSE", "/", "FALSE", "0", "sid", SECRET))
    names = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Carry(names, Carry().also_for(Rendition(origin.url("data.bin"))).origins, (cookie,))


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


def _identity(seen: Seen) -> dict[str, str]:
    """What a request says of its browser; it asks for the whole file."""
    return {name: value for name, value in seen.headers.items() if name not in ("host", "cookie", "referer", "x-token")}


def test_a_refusal_is_tried_as_other_browsers_whose_headers_agree(origin: Origin, client: HttpClient) -> None:
    origin.fail("/data.bin", 403, times=2)
    assert client.get_bytes(origin.url("data.bin")) == BODY
    assert [_identity(seen) for seen in origin.seen] == [
        {name.lower(): value for name, value in browser_headers(agent, origin.url()).items()}
        for agent in Settings().user_agents
    ]


def test_the_browser_that_was_let_in_stays(origin: Origin, client: HttpClient) -> None:
    origin.inject("/data.bin", Agents("Chrome", Status(403)))
    for _ in range(3):
        assert client.get_bytes(origin.url("data.bin")) == BODY
    assert ["Version/18" in seen.headers["user-agent"] for seen in origin.seen] == [False, True, True, True]


def test_the_resolvers_user_agent_goes_first_and_the_others_with_headers_of_their_own(origin: Origin) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    # As yt-dlp gives them.
    carry = _carry(origin, User_Agent=agent, Accept="text/html", Sec_Fetch_Mode="navigate", X_Token=SECRET)
    origin.fail("/data.bin", 403, times=1)
    with HttpClient(_settings(), carry=carry) as client:
        assert client.get_bytes(origin.url("data.bin")) == BODY
    first, second = origin.seen
    expected = {**browser_headers(agent, origin.url()), "Accept": "text/html"}
    assert _identity(first) == {name.lower(): value for name, value in expected.items()}
    fallback = browser_headers(Settings().user_agents[0], origin.url())
    assert _identity(second) == {name.lower(): value for name, value in fallback.items()}
    # Who we are changes, what we may see does not.
    assert first.headers["x-token"] == second.headers["x-token"] == SECRET


def test_each_browser_is_refused_once_then_the_first_again(origin: Origin) -> None:
    origin.fail("/data.bin", 403)
    with HttpClient(_settings(max_retries=9)) as client, pytest.raises(SourceError):
        client.get_bytes(origin.url("data.bin"))
    agents = [seen.headers["user-agent"] for seen in origin.seen]
    assert agents == [*Settings().user_agents, Settings().user_agents[0]]


def test_threads_that_are_refused_together_move_on_together(origin: Origin, client: HttpClient) -> None:
    together = threading.Barrier(3, timeout=5)

    def refuse(seen: Seen, honest: Reply) -> Reply | None:
        if "Chrome" not in seen.headers["user-agent"]:
            return None
        together.wait()
        return Reply(403)

    origin.inject("/data.bin", refuse)
    threads = [threading.Thread(target=client.get_bytes, args=(origin.url("data.bin"),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("Version/18" in seen.headers["user-agent"] for seen in origin.seen) == 3 == len(origin.seen) - 3


@pytest.mark.parametrize(
    ("status", "outcome", "requests"),
    [
        (404, "not_found", 1),
        (410, "not_found", 1),
        (401, "blocked", 1),
        (403, "blocked", 3),
        (451, "geo_blocked", 1),
        (500, "server", 3),
        (418, "failed", 1),
    ],
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


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_bomb_is_stopped_early(origin: Origin, client: HttpClient, encoding: str) -> None:
    if encoding not in ACCEPT_ENCODING.split(","):
        pytest.skip(f"{encoding} is not unpacked here, so it is not asked for")
    data = bytes(50_000_000)
    bomb = gzip.compress(data, 1) if encoding == "gzip" else pytest.importorskip("brotli").compress(data, quality=1)
    origin.page("/bomb", lambda seen: Reply(200, {"Content-Encoding": encoding}, bomb))
    with pytest.raises(SourceError) as caught:
        client.get_bytes(origin.url("bomb"), cap=100_000)
    assert caught.value.outcome == "too_large"
    assert client.traffic.requests == 1


def test_no_bytes_are_a_body_where_the_server_says_so(origin: Origin, client: HttpClient) -> None:
    origin.inject("/data.bin", Empty())
    assert client.get(origin.url("data.bin")).body == b""


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


@pytest.mark.timeout(20)
def test_a_host_that_drops_every_packet_is_given_up_soon() -> None:
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # Its queue takes one or two connections; later ones hear nothing.
        for _ in range(3):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        settings = _settings(connect_timeout=0.3, request_timeout=60, max_retries=5)
        with HttpClient(settings) as client, pytest.raises(SourceError, match="in time") as caught:
            client.get_bytes(f"http://127.0.0.1:{full.getsockname()[1]}/x.mp4")
    assert caught.value.outcome == "unreachable"
    assert client.traffic == Traffic(requests=2, retries=1)


def test_a_host_that_has_answered_gets_all_patience(origin: Origin) -> None:
    origin.redirect("/away", f"http://127.0.0.1:{_closed_port()}/x")
    with HttpClient(_settings(max_retries=4, backoff_factor=1)) as client, pytest.raises(SourceError) as caught:
        client.get_bytes(origin.url("away"))
    assert caught.value.outcome == "unreachable"
    assert client.traffic.retries == 4


def test_a_server_that_drips_is_left(origin: Origin) -> None:
    origin.inject("/data.bin", Drip(500))
    with HttpClient(_settings(request_timeout=0.3, max_retries=0)) as client, pytest.raises(SourceError) as caught:
        client.get_bytes(origin.url("data.bin"))
    assert caught.value.outcome == "timeout"


def test_all_traffic_is_counted(origin: Origin, client: HttpClient) -> None:
    origin.redirect("/away", "data.bin")
    client.get_bytes(origin.url("away"))
    origin.fail("/data.bin", 503, times=1)
    client.get_bytes(origin.url("data.bin"))
    origin.truncate("/data.bin")
    client.get_bytes(origin.url("data.bin"), (0, 1000))
    assert client.traffic == Traffic(requests=6, retries=2, bytes_read=2 * len(BODY) + 1000)
    assert client.traffic.requests == origin.requests.total()


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


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_takes_nothing_along_to_a_stranger(origin: Origin, stranger: Origin, host: str) -> None:
    origin.redirect("/away", stranger.url("data.bin").replace("127.0.0.1", host))
    carry = _carry(origin, X_Token=SECRET, Referer="https://kick.com/", User_Agent=f"Mozilla/5.0 {SECRET}")
    with HttpClient(_settings(allowed_private_hosts="127.0.0.1,localhost"), carry=carry) as client:
        asked = {"Authorization": f"Bearer {SECRET}"}
        assert client.get(origin.url("away"), byte_range=(0, 9), headers=asked).body == BODY[:9]
    (kept,), (sent,) = origin.seen, stranger.seen
    assert [SECRET in kept.headers[name] for name in ("x-token", "cookie", "authorization", "user-agent")] == [True] * 4
    # Cookies know hosts, no ports.
    assert SECRET not in str({name: value for name, value in sent.headers.items() if name != "cookie"})
    assert "authorization" not in sent.headers and "referer" not in sent.headers
    assert ("cookie" in sent.headers) == (host == "127.0.0.1")
    assert sent.headers["range"] == "bytes=0-8"


def test_a_playlist_that_names_a_stranger_gives_it_nothing(origin: Origin, stranger: Origin) -> None:
    with HttpClient(_settings(), carry=_carry(origin, X_Token=SECRET)) as client:
        client.get(stranger.url("data.bin"))
        client.trust(Rendition(stranger.url("data.bin")))
        client.get(stranger.url("data.bin"))
    assert [seen.headers.get("x-token") for seen in stranger.seen] == [None, SECRET]


@pytest.mark.parametrize(
    "fault",
    [Status(403), Status(404), Status(500), Reset(), Reset(0.0), Redirect("http://10.0.0.1/?token=s3cret"), Drip(10)],
    ids=repr,
)
def test_secrets_reach_no_log_error_or_repr(origin: Origin, caplog: pytest.LogCaptureFixture, fault: Fault) -> None:
    caplog.set_level(logging.DEBUG)
    origin.inject("/data.bin", fault)
    url = origin.url("data.bin").replace("//", f"//bob:{SECRET}@") + f"?token={SECRET}"
    with HttpClient(_settings(request_timeout=0.2, max_retries=1), carry=_carry(origin, X_Token=SECRET)) as client:
        with pytest.raises(SourceError) as caught:
            client.get(url, headers={"Authorization": SECRET})
        said = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(client)
    # The quoted source of this test does name the word.
    assert SECRET not in said.replace("SECRET", "")
    origin.heal()
    with HttpClient(_settings(), carry=_carry(origin, X_Token=SECRET)) as client:
        reply = client.get(url)
    assert SECRET not in repr(reply) + str(reply) + caplog.text


def test_a_header_that_cannot_be_sent_is_not_quoted(origin: Origin, client: HttpClient) -> None:
    with pytest.raises(SourceError) as caught:
        client.get(origin.url("data.bin"), headers={"X-Token": f"{SECRET}\r\nX-Forged: 1"})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert not origin.seen


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


def test_a_connection_outlives_redirects_and_errors(origin: Origin, client: HttpClient) -> None:
    origin.redirect("/away", "data.bin")
    origin.fail("/nothing", 404)
    before = set(threading.enumerate())
    for _ in range(3):
        client.get(origin.url("away"))
        with pytest.raises(SourceError):
            client.get(origin.url("nothing"))
    # The server has a thread for each connection.
    assert len(set(threading.enumerate()) - before) == 1


@pytest.mark.timeout(10)
def test_a_closed_client_leaves_no_thread_and_no_connection(origin: Origin) -> None:
    before = set(threading.enumerate())
    cancel = CancelToken()
    client = HttpClient(_settings(), cancel)
    client.get_bytes(origin.url("data.bin"))
    watch, *_ = [thread for thread in set(threading.enumerate()) - before if thread.name == "http-cancel"]
    client.close()
    watch.join()
    # The server's side of the kept connection ends, too.
    for thread in set(threading.enumerate()) - before:
        thread.join()
