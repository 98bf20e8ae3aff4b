"""A file on a web server as a Python file object, read by HTTP Range requests.

It serves PyAV for progressive MP4, WebM and MKV, whose index may lie at the end: blocks are fetched where the demuxer
looks, and more at once the longer it reads straight on.
"""

from __future__ import annotations

import collections
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kick_clip_generator.core.errors import ClipGeneratorError, SourceError
from kick_clip_generator.sources.kept import Kept
from kick_clip_generator.sources.net.http import HttpClient, HttpError, Reply
from kick_clip_generator.sources.safety import redact

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 256 * 1024
# 16 blocks are 4 MiB: at 50 Mbit/s the wait for a request then costs a few percent.
MAX_BLOCKS_AT_ONCE = 16
# Sound and picture may lie megabytes apart in a badly interleaved file, and both places stay warm.
CACHED_BLOCKS = 40

# What a signed address answers with once its time is over.
EXPIRED = ("blocked", "not_found")


class RangeFile(io.RawIOBase):
    """Read-only and seekable.

    Args:
        client: does the requests; closed by its owner.
        first: an answer of status 206 for the start of the file (`HttpClient.peek`), of known size.
        url: where to start over when the address that `url` redirected to stops working.
        renew: given an address that has expired, answers with a new one for the same file; None when there is none.

    Attributes:
        size: bytes.
        failure: what went wrong in a read. PyAV may turn an exception of its file object into one of its own, or into
            an early end of the file; who reads through PyAV looks here afterwards.

    Raises:
        SourceError: from reads, also when the file on the server changes meanwhile (outcome "changed").
    """

    def __init__(
        self, client: HttpClient, first: Reply, url: str, renew: Callable[[str], str | None] | None = None
    ) -> None:
        super().__init__()
        self._kept: Kept | None = None
        if first.size is None:
            raise ValueError("expected an answer with the size of the file, got none")
        self.size = first.size
        self.failure: ClipGeneratorError | None = None
        self._client = client
        self._url = url
        self._renew = renew
        self._direct_url = first.url
        self._head = first.body
        self._etag = first.headers.get("etag", "")
        self._modified = first.headers.get("last-modified", "")
        self._position = 0
        self._blocks: collections.OrderedDict[int, bytes] = collections.OrderedDict()
        # The first look at a file is seldom the first of many on its beginning: an index may lie at the end.
        self._next_block = -1
        self._blocks_at_once = 1
        # Blocks that are read again later, and whether those are that are read now.
        self._shared: set[int] = set()
        self._sharing = False

    def keep(self, folder: Path, *, shared: bool) -> None:
        """Say whether what is read from now on will be read again; then it stays on the disk until the file is closed.

        Args:
            folder: for temporary files, the same in all calls.
        """
        if self._kept is None:
            self._kept = Kept(folder)
        self._sharing = shared

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"expected a position of at least 0, got {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        if self._position >= self.size or not len(view):
            return 0
        number, start = divmod(self._position, BLOCK_BYTES)
        try:
            piece = self._block(number)[start : start + len(view)]
        except ClipGeneratorError as error:
            self.failure = error
            raise
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _block(self, number: int) -> bytes:
        if self._sharing:
            self._shared.add(number)
        if number not in self._blocks:
            kept = self._kept.get(number) if self._kept is not None else None
            if kept is not None:
                self._blocks[number] = kept
                self._evict()
            else:
                self._fetch(number)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _has(self, number: int) -> bool:
        return number in self._blocks or (self._kept is not None and number in self._kept)

    def _evict(self) -> None:
        while len(self._blocks) > CACHED_BLOCKS:
            number, block = self._blocks.popitem(last=False)
            if self._kept is not None and number in self._shared:
                self._kept.put(number, block)

    def _fetch(self, number: int) -> None:
        straight_on = number == self._next_block
        self._blocks_at_once = min(2 * self._blocks_at_once, MAX_BLOCKS_AT_ONCE) if straight_on else 1
        count = next((n for n in range(1, self._blocks_at_once) if self._has(number + n)), self._blocks_at_once)
        first = number * BLOCK_BYTES
        stop = min(first + count * BLOCK_BYTES, self.size)
        body = self._get(first, stop)
        for offset in range(0, stop - first, BLOCK_BYTES):
            self._blocks[number + offset // BLOCK_BYTES] = body[offset : offset + BLOCK_BYTES]
        self._next_block = number + count
        self._evict()

    def _get(self, first: int, stop: int) -> bytes:
        known = self._head[first:stop]
        if first + len(known) == stop:
            return known
        reply = self._request_somewhere(first + len(known), stop)
        self._direct_url = reply.url
        if not self.is_same(reply):
            raise changed(self._url)
        return known + reply.body

    def is_same(self, reply: Reply) -> bool:
        """Whether an answer comes from this very file."""
        etag, modified = reply.headers.get("etag", ""), reply.headers.get("last-modified", "")
        if reply.size not in (self.size, None):
            return False
        # The servers behind one address need not agree on a date, or all send tags.
        if etag and self._etag:
            return etag == self._etag
        return not (modified and self._modified) or modified == self._modified

    def _request_somewhere(self, first: int, stop: int) -> Reply:
        # A redirect's target is signed for a while; the address itself leads to a fresh one, or its resolver knows one.
        for url in dict.fromkeys((self._direct_url, self._url)):
            try:
                return self._request(url, first, stop)
            except HttpError as error:
                if error.outcome not in EXPIRED:
                    raise
                failure = error
        fresh = self._renew(self._url) if self._renew is not None else None
        if fresh is None:
            raise failure
        self._url = fresh
        return self._request(fresh, first, stop)

    def _request(self, url: str, first: int, stop: int) -> Reply:
        # Weak tags do not promise the same bytes, and servers refuse them here.
        validator = self._etag if self._etag.startswith('"') else self._modified
        # A server that does not know the validator sends the whole file; without it the answer's own headers decide.
        for headers in ({"If-Range": validator}, {}) if validator else ({},):
            try:
                return self._client.get(url, byte_range=(first, stop), cap=stop - first, headers=headers)
            except HttpError as error:
                if error.outcome not in ("no_range", "too_large"):
                    raise
        raise changed(url)


def changed(url: str) -> SourceError:
    """The error of a file that is another one by now."""
    return SourceError(
        f"{redact(url)} changed on the server while it was read; start again to read it as it is now.",
        outcome="changed",
    )
