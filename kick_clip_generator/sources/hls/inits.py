"""The init sections of fragmented MP4: what decoders need before a segment, fetched once."""

from __future__ import annotations

from kick_clip_generator.sources.hls.crypt import Decryptor
from kick_clip_generator.sources.hls.playlist import Resource, Segment
from kick_clip_generator.sources.hls.tags import Key
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.safety import redact

MAX_INIT_BYTES = 4 * 2**20
# Streams change between a few of them, at advertisements.
KEPT_INITS = 8


class Inits:
    """Used by one thread.

    Args:
        client: fetches them; closed by its owner.
        decryptor: for those that are encrypted.
    """

    def __init__(self, client: HttpClient, decryptor: Decryptor) -> None:
        self._client = client
        self._decryptor = decryptor
        self._kept: dict[tuple[Resource, Key | None], bytes] = {}

    def of(self, segment: Segment) -> bytes:
        """What goes before a segment; empty when it needs nothing.

        Raises:
            SourceError: when it cannot be had.
        """
        if segment.init is None:
            return b""
        name = (segment.init, segment.init_key)
        if name not in self._kept:
            data = self._client.get_bytes(segment.init.url, segment.init.byte_range, cap=MAX_INIT_BYTES)
            data = self._decryptor.decrypt(data, segment.init_key, segment.sequence, redact(segment.init.url))
            if len(self._kept) >= KEPT_INITS:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = data
        return self._kept[name]
