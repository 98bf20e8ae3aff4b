"""Requests as such: their size, their repetition, uploads, ranges, and a library that cannot be written."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_site import Api, an_api
from starlette.datastructures import Headers
from ui_page import serving

from kick_clip_generator.api.limits import API_BYTES
from kick_clip_generator.api.ranges import RangeWanted, ranged_headers, wanted_range


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with an_api(tmp_path_factory.mktemp("requests"), upload_limit=0.003) as api:
        yield api


@pytest.fixture(scope="module")
def url(api: Api) -> Iterator[str]:
    with serving(api.app) as url:
        yield url


def upload(api: Api, content: bytes, name: str = "my video.mp4", **form: Any) -> Any:
    return api.client.post("/api/projects/upload", files={"file": (name, content, "video/mp4")}, data=form)


def left_overs(api: Api) -> list[Path]:
    return list(api.settings.download_dir.rglob("*.part"))


def test_a_body_may_not_be_huge(api: Api) -> None:
    announced = api.client.post("/api/tokens", content=b"x", headers={"Content-Length": str(API_BYTES + 1)})
    assert announced.status_code == 413 and announced.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "big"}])
def test_a_body_that_says_nothing_of_its_size_is_counted(url: str, key: dict[str, str]) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * (API_BYTES // 8)

    answer = httpx.post(f"{url}/api/projects/url", content=pieces(), headers=key)
    assert answer.status_code == 413 and answer.json()["status"] == 413


def test_a_repeated_request_is_done_once(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    body = {"url": "https://example.com/once.mp4"}
    first = api.client.post("/api/projects/url", json=body, headers=headers)
    again = api.client.post("/api/projects/url", json=body, headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    job = api.client.post("/api/retrain", headers={"Idempotency-Key": "train"}).json()
    assert api.client.post(f"/api/jobs/{job['id']}/cancel").status_code == 200
    # Done a second time it would be queued again.
    assert api.client.post("/api/retrain", headers={"Idempotency-Key": "train"}).json() == job
    assert api.client.get(f"/api/jobs/{job['id']}").json()["state"] == "cancelled"


def test_a_failure_that_will_last_is_repeated_too(api: Api) -> None:
    headers = {"Idempotency-Key": "nothing there"}
    # A space is no visible character.
    assert api.client.post("/api/clips/77/keep", headers=headers).status_code == 422
    headers = {"Idempotency-Key": "nothing-there"}
    first = api.client.post("/api/clips/77/keep", headers=headers)
    again = api.client.post("/api/clips/77/keep", headers=headers)
    assert first.status_code == again.status_code == 404 and again.json() == first.json()
    assert again.headers["content-type"] == "application/problem+json"


def test_a_deletion_is_repeated_without_a_body(api: Api) -> None:
    (clip,) = api.add_clips(1)
    for _ in range(2):
        answer = api.client.delete(f"/api/clips/{clip}", headers={"Idempotency-Key": "delete"})
        assert answer.status_code == 204 and not answer.content
    assert api.client.delete(f"/api/clips/{clip}").status_code == 404


def test_a_key_belongs_to_one_request(api: Api) -> None:
    headers = {"Idempotency-Key": "one"}
    api.client.post("/api/projects/url", json={"url": "https://example.com/a.mp4"}, headers=headers)
    other = api.client.post("/api/projects/url", json={"url": "https://example.com/b.mp4"}, headers=headers)
    assert other.status_code == 422 and "Idempotency-Key" in other.json()["detail"]


def test_two_at_once_are_done_once(api: Api, url: str) -> None:
    (clip,) = api.add_clips(1)
    codes: list[int] = []

    def keep() -> None:
        codes.append(httpx.post(f"{url}/api/clips/{clip}/keep", headers={"Idempotency-Key": "both"}).status_code)

    threads = [threading.Thread(target=keep) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {200, 409} and 200 in codes
    with sqlite3.connect(api.settings.database_path) as database:
        assert database.execute("SELECT count(*) FROM rating WHERE clip_id = ?", [clip]).fetchone() == (1,)


def test_an_upload_becomes_a_project(api: Api) -> None:
    made = upload(api, api.media, "夜 my..stream?.mp4", title="Mine").json()
    assert made["title"] == "Mine" and made["has_video"] and made["video_bytes"] == len(api.media)
    assert made["duration"] == pytest.approx(1.0, abs=0.2)
    video = api.library.project(made["id"]).video
    assert video is not None and video.path.parent == api.settings.download_dir.resolve() / "uploads"
    assert api.client.get(f"/api/projects/{made['id']}/video").content == api.media
    again = upload(api, api.media, "夜 my..stream?.mp4").json()
    assert again["id"] != made["id"]
    assert api.client.delete(f"/api/projects/{made['id']}").status_code == 204 and not video.path.exists()


@pytest.mark.parametrize(
    "name", ["../../evil.mp4", "..\\evil.mp4", "/etc/cron.d/x", "", ".", "a" * 400, "x.php", "\x00.mp4"]
)
def test_names_of_uploads_are_not_believed(api: Api, name: str) -> None:
    answer = upload(api, api.media, name or "blob")
    assert answer.status_code == 201, answer.text
    video = api.library.project(answer.json()["id"]).video
    assert video is not None and video.path.parent == api.settings.download_dir.resolve() / "uploads"
    assert video.path.suffix == ".mp4" and not video.path.name.startswith(".")


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\nrm -rf /\n", b"<html></html>", b"#EXTM3U\nfile:///etc/passwd\n"])
def test_what_does_not_decode_is_no_upload(api: Api, content: bytes) -> None:
    answer = upload(api, content)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert not left_overs(api)


def test_half_a_video_header_is_none(api: Api) -> None:
    assert upload(api, api.media[:200]).status_code == 422


def test_an_upload_has_a_limit(api: Api) -> None:
    assert upload(api, b"\0" * 3_500_000).status_code == 413
    assert not left_overs(api)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense", 422),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc', 422),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\na\r\n--x--',
            422,
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 20_000 + b": 1\r\n\r\n\r\n--x--", 422),
    ],
)
def test_odd_forms_are_refused(api: Api, content_type: str, body: bytes, status: int) -> None:
    answer = api.client.post("/api/projects/upload", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status, answer.text
    assert not left_overs(api)


def test_a_library_that_cannot_be_written_still_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with an_api(tmp_path) as api:
        (clip,) = api.add_clips(1)
        # What a full disk does: SQLite may not grow.
        full = {"max_page_count": 1}

        def grow_no_more(connection: Any, _: Any) -> None:
            connection.execute(f"PRAGMA max_page_count={full['max_page_count']}")

        from sqlalchemy import event

        event.listen(api.library._engine, "connect", grow_no_more)
        api.library._engine.dispose()
        text = {"name": "x" * 100}
        codes = {api.client.post("/api/tokens", json=text).status_code for _ in range(100)}
        refused = api.client.post("/api/projects/url", json={"url": "https://example.com/" + "x" * 8000})
        assert refused.status_code == 503 and "disk is full" in refused.json()["detail"], (codes, refused.text)
        assert int(refused.headers["retry-after"]) > 0
        assert api.client.get(f"/api/clips/{clip}").status_code == 200
        assert api.client.get(f"/api/clips/{clip}/video").content == api.media


def test_debug_shows_where_it_failed(tmp_path: Path) -> None:
    for debug in (False, True):
        (tmp_path / str(debug)).mkdir()
        with an_api(tmp_path / str(debug), debug=debug) as api:
            api.app.add_api_route("/boom", lambda: 1 / 0)
            answer = api.client.get("/boom")
            assert answer.status_code == 500 and ("trace" in answer.json()) is debug


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, RangeWanted(200, 0, 100)),
        ({"range": "bytes=0-9"}, RangeWanted(206, 0, 10)),
        ({"range": "bytes=90-"}, RangeWanted(206, 90, 100)),
        ({"range": "bytes=-5"}, RangeWanted(206, 95, 100)),
        ({"range": "bytes=-500"}, RangeWanted(206, 0, 100)),
        ({"range": "bytes=50-500"}, RangeWanted(206, 50, 100)),
        ({"range": "bytes=100-"}, RangeWanted(416, 0, 0)),
        ({"range": "bytes=-0"}, RangeWanted(416, 0, 0)),
        ({"range": "bytes=9-3"}, RangeWanted(200, 0, 100)),
        ({"range": "bytes=0-1,5-6"}, RangeWanted(200, 0, 100)),
        ({"range": "lines=0-9"}, RangeWanted(200, 0, 100)),
        ({"range": "bytes=-"}, RangeWanted(200, 0, 100)),
        ({"range": "bytes=" + "9" * 30 + "-"}, RangeWanted(200, 0, 100)),
        ({"range": "bytes=0-9", "if-range": '"other"'}, RangeWanted(200, 0, 100)),
        ({"range": "bytes=0-9", "if-range": '"tag"'}, RangeWanted(206, 0, 10)),
        ({"if-none-match": '"a", W/"tag"'}, RangeWanted(304, 0, 0)),
    ],
)
def test_ranges(asked: dict[str, str], wanted: RangeWanted) -> None:
    assert wanted_range(Headers(asked), 100, '"tag"') == wanted
    headers = ranged_headers(wanted, 100, '"tag"')
    if wanted.status == 206:
        assert headers["Content-Range"] == f"bytes {wanted.first}-{wanted.stop - 1}/100"
        assert headers["Content-Length"] == str(wanted.stop - wanted.first)
