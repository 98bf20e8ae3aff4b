"""Sockets that connect only to checked addresses, for requests.

Looking a name up and connecting to it are one step here: urllib3's connection is handed the addresses that passed
`checked_addresses`, so neither a redirect nor a second DNS answer can lead it elsewhere. TLS still verifies the name.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import weakref
from collections.abc import Collection
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from kick_clip_generator.sources.safety import checked_addresses

# What is left of a redirect's or an error's page is read for the sake of the connection.
_LITTLE_BYTES = 4096


class OpenSockets:
    """The sockets of one client, so that another thread can wake whoever waits on them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def add(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.add(sock)

    def shut_down(self) -> None:
        """End every transfer; a thread that waits for bytes gets an error at once instead of at its time limit."""
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            try:
                # Not SSLSocket.shutdown: it drops the TLS object under the thread that reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                continue


class GuardedAdapter(HTTPAdapter):
    """An adapter whose connections go to checked addresses only; every request through it needs time limits.

    Args:
        allowed_private_hosts: hosts that are exempt from the check.
        sockets: where each connected socket is noted.
        connections: how many to keep open per host.
    """

    def __init__(self, allowed_private_hosts: Collection[str], sockets: OpenSockets, connections: int) -> None:
        self._pools = _pool_classes(frozenset(allowed_private_hosts), sockets)
        super().__init__(pool_connections=8, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


def release(response: requests.Response) -> None:
    """End an answer; its connection serves again where one read is all that is left to do."""
    length = response.headers.get("content-length", "")
    if (
        response.status_code not in (200, 206)
        and length.isdecimal()
        and len(length) < 5
        and int(length) <= _LITTLE_BYTES
    ):
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            response.raw.read1(_LITTLE_BYTES)
    response.close()


def _pool_classes(allowed: frozenset[str], sockets: OpenSockets) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    class Guarded(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            name = self._dns_host
            try:
                addresses = checked_addresses(name, self.port, allowed)
            except (OSError, UnicodeError) as error:
                raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
            failure: NewConnectionError | ConnectTimeoutError | None = None
            limit_s = self.timeout
            until_s = time.monotonic() + float(limit_s or 0.0)
            for tried, address in enumerate(addresses):
                self._dns_host = address
                # One limit for all: a host of eight addresses that drop every packet is not waited for eight times.
                self.timeout = max(0.1, (until_s - time.monotonic()) / (len(addresses) - tried))
                try:
                    sock = super()._new_conn()
                    # For the TLS handshake.
                    sock.settimeout(limit_s)
                    return sock
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failure = error
                finally:
                    # TLS and the Host header go by the name.
                    self._dns_host = name
                    self.timeout = limit_s
            raise failure or NewConnectionError(self, "the host has no address")

        def connect(self) -> None:
            super().connect()
            if self.sock is not None:
                sockets.add(self.sock)

    class GuardedTLS(Guarded, urllib3.connection.HTTPSConnection):
        pass

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Guarded

    class TLSPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = GuardedTLS

    return {"http": Pool, "https": TLSPool}
