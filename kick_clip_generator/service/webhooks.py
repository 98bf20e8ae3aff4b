"""Telling other programs when a job has ended: signed as https://www.standardwebhooks.com says, at least once.

One thread of the server looks for jobs that have ended. What it has seen to is kept in the library, so that a server
that was away catches up. Several servers on one library each tell; receivers know a repetition by `webhook-id`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import requests

from kick_clip_generator import __version__
from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.access import Webhook
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import JobInfo
from kick_clip_generator.service.job_words import job_document
from kick_clip_generator.sources.net.authorities import own_authority
from kick_clip_generator.sources.net.connection import GuardedAdapter, OpenSockets
from kick_clip_generator.sources.safety import check_url

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
WAITS_S = (2.0, 10.0, 30.0)
TIMEOUTS_S = (5.0, 10.0)
_AT_ONCE = 8

# Changes may show later than their times say, see `changes_since`.
_OVERLAP_S = 2.0
_KEPT_AS = "webhooks.seen"
_PREFIX = "whsec_"


def add_webhook(library: Library, url: str) -> Webhook:
    """Tell this address from now on; the secret proves that it is us.

    Raises:
        SourceError: when it is no plain http or https address.
    """
    check_url(url)
    secret = _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    return library.add_webhook(url, secret)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """What `webhook-signature` says."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


class WebhookSender:
    """Sends while it is started.

    Args:
        library: whose jobs.
        settings: `allowed_private_hosts` are those on the local network that may be told.
        waits_s: pauses between attempts; after the last one a message is given up.
    """

    def __init__(self, library: Library, settings: Settings, *, waits_s: Sequence[float] = WAITS_S) -> None:
        self._library = library
        self._waits_s = waits_s
        self._stopped = threading.Event()
        self._sockets = OpenSockets()
        allowed = [host.strip("[]").rstrip(".").lower() for host in settings.allowed_private_hosts]
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = own_authority() or True
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, GuardedAdapter(allowed, self._sockets, connections=_AT_ONCE))
        self._thread = threading.Thread(target=self._watch, name="webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End within a moment; what was not sent is sent after the next start."""
        self._stopped.set()
        self._sockets.shut_down()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _watch(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook") as pool:
            seen: dict[int, float] = {}
            while not self._stopped.wait(LOOK_EVERY_S):
                try:
                    seen = self._look(pool, seen)
                except ClipGeneratorError as error:
                    log.info("Webhooks wait: %s", error)
                except Exception:
                    log.exception("Webhooks failed unexpectedly and go on")

    def _look(self, pool: ThreadPoolExecutor, seen: dict[int, float]) -> dict[int, float]:
        """Tell of the jobs that have ended since the last look; which of them are known by now."""
        kept = self._library.kept_value(_KEPT_AS)
        hooks = self._library.webhooks()
        if not hooks:
            if kept is not None:
                self._library.forget_value(_KEPT_AS)
            return {}
        if kept is None:
            # From the first webhook on, and not of all the years before.
            kept = self._library.keep_first(_KEPT_AS, {"at": max(hook.created_at for hook in hooks)})
        since = float(kept["at"])
        changed = self._library.changes_since(since - _OVERLAP_S)
        ended = [job for job in changed if job.ended_at is not None and job.ended and seen.get(job.id) != job.ended_at]
        deliveries = [
            pool.submit(self._deliver, hook, job)
            for job in ended
            for hook in hooks
            if (job.ended_at or 0.0) >= hook.created_at
        ]
        for delivery in deliveries:
            delivery.result()
        if self._stopped.is_set():
            return seen
        if changed and changed[-1].updated_at > since:
            self._library.keep_value(_KEPT_AS, {"at": changed[-1].updated_at})
        return {job.id: job.ended_at for job in changed if job.ended_at is not None}

    def _deliver(self, hook: Webhook, job: JobInfo) -> None:
        message_id = f"job-{job.id}-{round((job.ended_at or 0.0) * 1000)}"
        when = datetime.fromtimestamp(job.ended_at or 0.0, UTC).isoformat(timespec="milliseconds")
        body = json.dumps({"type": "job.ended", "timestamp": when, "data": job_document(job)}).encode()
        problem = ""
        for wait_s in (0.0, *self._waits_s):
            if self._stopped.wait(wait_s):
                return
            problem = self._post(hook, message_id, body)
            if not problem:
                return
        log.warning("Webhook %d was not told of the end of job %d: %s", hook.id, job.id, problem)

    def _post(self, hook: Webhook, message_id: str, body: bytes) -> str:
        """What is wrong, empty when it was taken."""
        timestamp = int(datetime.now(UTC).timestamp())
        headers: dict[str, Any] = {
            "Content-Type": "application/json",
            "User-Agent": f"kick-clip-generator/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(hook.secret, message_id, timestamp, body),
        }
        try:
            with self._session.post(
                hook.url, data=body, headers=headers, timeout=TIMEOUTS_S, allow_redirects=False, stream=True
            ) as answer:
                return "" if 200 <= answer.status_code < 300 else f"it answered {answer.status_code}"
        except (requests.RequestException, OSError, ValueError, ClipGeneratorError) as error:
            return type(error).__name__
