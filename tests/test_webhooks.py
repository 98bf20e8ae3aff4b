"""Webhooks: told once a job has ended, signed, patiently, and never to machines on the local network unasked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.webhooks import WebhookSender, add_webhook


class Receiver:
    """Takes what is posted to it; answers with the given statuses first, then with 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if status in (301, 302, 307):
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, count: int) -> None:
        deadline_s = time.monotonic() + 30
        while len(self.got) < count:
            assert time.monotonic() < deadline_s, f"{len(self.got)} of {count} came"
            time.sleep(0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_path=tmp_path / "clips.db", allowed_private_hosts="127.0.0.1")


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    with Library.open(settings.database_path) as library:
        yield library


def an_end(library: Library) -> int:
    """A job that has ended."""
    return library.request_cancel(library.enqueue("retrain", {"url": "https://x.example/?token=secret"}).id).id


def test_the_end_of_a_job_is_told_and_signed(library: Library, settings: Settings, receiver: Receiver) -> None:
    an_end(library)
    time.sleep(0.01)
    hook = add_webhook(library, receiver.url)
    sender = WebhookSender(library, settings)
    sender.start()
    job = an_end(library)
    receiver.wait(1)
    sender.stop()
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert told["data"]["id"] == job
    assert told["type"] == "job.ended" and told["data"]["status"] == "Cancelled"
    assert b"secret" not in body
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300


def test_a_receiver_that_fails_is_asked_again(library: Library, settings: Settings, receiver: Receiver) -> None:
    receiver.statuses = [500, 307, 404]
    add_webhook(library, receiver.url)
    sender = WebhookSender(library, settings, waits_s=(0.01, 0.01, 0.01))
    sender.start()
    an_end(library)
    receiver.wait(4)
    sender.stop()
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_what_ended_while_the_server_was_away_is_told(library: Library, settings: Settings, receiver: Receiver) -> None:
    add_webhook(library, receiver.url)
    ended = [an_end(library) for _ in range(3)]
    sender = WebhookSender(library, settings)
    sender.start()
    receiver.wait(3)
    sender.stop()
    assert sorted(json.loads(body)["data"]["id"] for _, body in receiver.got) == ended


def test_the_local_network_is_not_told_unasked(library: Library, tmp_path: Path, receiver: Receiver) -> None:
    add_webhook(library, receiver.url)
    sender = WebhookSender(library, Settings(database_path=tmp_path / "clips.db"), waits_s=())
    sender.start()
    an_end(library)
    deadline_s = time.monotonic() + 30
    while library.kept_value("webhooks.seen") is None or library.kept_value("webhooks.seen")["at"] < library.now() - 5:  # type: ignore[index]
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    sender.stop()
    assert receiver.got == []


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "gopher://x", "http://", "http://a b"])
def test_no_webhook_to_what_is_no_address(library: Library, url: str) -> None:
    with pytest.raises(SourceError):
        add_webhook(library, url)


def test_stopping_a_sender_that_never_started(library: Library, settings: Settings) -> None:
    WebhookSender(library, settings).stop()
