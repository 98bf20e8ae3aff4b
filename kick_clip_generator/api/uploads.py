"""A form with a file, written to the disk as it arrives: files of many gigabytes pass through no memory and no /tmp."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.projects import Project
from kick_clip_generator.service.uploads import Upload, keep, receive

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "title": {"type": "string", "maxLength": 300},
                    },
                }
            }
        },
    }
}
_LONGEST_VALUE = 4096
_LONGEST_HEADERS = 8192
_MOST_PARTS = 20


async def receive_form(request: Request, library: Library, settings: Settings) -> Project:
    """The project of the file in a form.

    Raises:
        InputError: when it is no form, or has no file.
        TooLarge, MediaError, LibraryError: see `service.uploads`.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
        raise HTTPException(415, "Send the file as a form (multipart/form-data) in a field named file.")
    with receive(settings) as upload:
        form = _Form(upload)
        parser = MultipartParser(boundary, form.callbacks())
        try:
            async for piece in request.stream():
                await run_in_threadpool(parser.write, piece)
            parser.finalize()
        except FormParserError as error:
            raise InputError("The form is cut off or damaged; send it again.") from error
        if not form.ended or not upload.size:
            raise InputError("The form holds no file in a field named file, or it is cut off; send it again.")
        return await run_in_threadpool(keep, library, settings, upload, form.file_name, form.title)


class _Form:
    """Takes a form apart as it comes: the file goes to the disk, the title is remembered."""

    def __init__(self, upload: Upload) -> None:
        self.file_name = ""
        self.ended = False
        self._upload = upload
        self._parts = 0
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._field = b""
        self._title = bytearray()
        self._has_file = False
        self._header_bytes = 0

    @property
    def title(self) -> str:
        return self._title.decode("utf-8", "replace").strip()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: self._add(self._header, data[start:end]),
            "on_header_value": lambda data, start, end: self._add(self._value, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._take,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._parts += 1
        self._headers, self._field, self._header_bytes = {}, b"", 0
        if self._parts > _MOST_PARTS:
            raise InputError(f"The form has more than {_MOST_PARTS} parts; send the file alone.")

    def _add(self, to: bytearray, data: bytes) -> None:
        self._header_bytes += len(data)
        if self._header_bytes > _LONGEST_HEADERS:
            raise InputError("The form has headers of absurd length.")
        to += data

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = options.get(b"name", b"")
        if self._field == b"file":
            if self._has_file:
                raise InputError("Send one file at a time.")
            self._has_file = True
            self.file_name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._field == b"file":
            self._upload.write(data[start:end])
        elif self._field == b"title":
            self._title += data[start:end]
            if len(self._title) > _LONGEST_VALUE:
                raise InputError("The title is too long; choose a shorter one.")

    def _end(self) -> None:
        self.ended = True
