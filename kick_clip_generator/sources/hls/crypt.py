"""Segments encrypted whole with AES-128 (RFC 8216, 4.3.2.4): keys fetched like any other file, kept while in use."""

from __future__ import annotations

import threading

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.hls.tags import Key
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.safety import redact

KEY_BYTES = 16
# A key that changes with each segment, as some streams have it, must not pile up for ten hours.
MAX_KEYS = 64


class Decryptor:
    """Decrypts segments; may be used by several threads.

    Args:
        client: fetches the keys; closed by its owner.
    """

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._keys: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def decrypt(self, data: bytes, key: Key | None, sequence: int, shown: str) -> bytes:
        """The plain bytes of a segment.

        Args:
            data: as fetched.
            key: None when it is not encrypted.
            sequence: the segment's number in the stream: the initialization vector when the key names none.
            shown: the segment's name for messages.

        Raises:
            SourceError: when the key cannot be had, or does not fit.
        """
        if key is None or not data:
            return data
        # Few streams need it, and it takes as long to import as numpy.
        from Crypto.Cipher import AES

        secret = self._secret(key)
        if len(data) % AES.block_size:
            raise _not_decrypted(shown)
        vector = key.iv if key.iv is not None else sequence.to_bytes(AES.block_size, "big")
        plain = AES.new(secret, AES.MODE_CBC, iv=vector).decrypt(data)
        padding = plain[-1]
        if not (1 <= padding <= AES.block_size and plain.endswith(bytes([padding]) * padding)):
            raise _not_decrypted(shown)
        return plain[:-padding]

    def _secret(self, key: Key) -> bytes:
        # One thread asks, the others wait for its answer.
        with self._lock:
            if key.url not in self._keys:
                secret = self._client.get_bytes(key.url, cap=4096)
                if len(secret) != KEY_BYTES:
                    raise SourceError(
                        f"{redact(key.url)} gives no key for the recording ({len(secret)} bytes where {KEY_BYTES} were "
                        f"expected); it may need a login.",
                        outcome="not_media",
                    )
                if len(self._keys) >= MAX_KEYS:
                    del self._keys[next(iter(self._keys))]
                self._keys[key.url] = secret
            return self._keys[key.url]


def _not_decrypted(shown: str) -> SourceError:
    return SourceError(f"{shown} does not decrypt with the recording's key.", outcome="not_media")
