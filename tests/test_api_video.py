"""The video of a project that lies on another server, passed on in ranges, and kept downloads that come before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_site import Api, an_api
from library_facts import a_file
from origin.media import make_media

from tests.origin.faults import Status
from tests.origin.server import Origin


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("origin")
    make_media(folder / "video.mp4", duration_s=8.0)
    (folder / "page.html").write_text("<!doctype html><html></html>")
    return folder


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as origin:
        yield origin


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with an_api(tmp_path, allowed_private_hosts="127.0.0.1", max_retries=0, request_timeout=5) as api:
        yield api


def test_ranges_are_passed_on(api: Api, origin: Origin, folder: Path) -> None:
    content = (folder / "video.mp4").read_bytes()
    video = f"/api/projects/{api.project(url=origin.url('video.mp4'))}/video"
    whole = api.client.get(video)
    assert whole.content == content and whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes" and int(whole.headers["content-length"]) == len(content)
    for first, last in ((0, 9), (100_000, 100_099), (len(content) - 5, len(content) + 5)):
        part = api.client.get(video, headers={"Range": f"bytes={first}-{last}"})
        assert part.status_code == 206 and part.content == content[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
    assert api.client.get(video, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    assert api.client.get(video, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    head = api.client.head(video)
    assert head.status_code == 200 and not head.content and head.headers["content-length"] == str(len(content))


def test_a_range_reads_no_more_than_it_needs(api: Api, origin: Origin, folder: Path) -> None:
    video = f"/api/projects/{api.project(url=origin.url('video.mp4'))}/video"
    api.client.head(video)
    before = origin.bytes_sent["/video.mp4"]
    api.client.get(video, headers={"Range": "bytes=0-99"})
    assert origin.bytes_sent["/video.mp4"] - before <= 2**16 + 2**18


def test_the_beginning_of_the_answer_waits_for_the_source(api: Api, origin: Origin) -> None:
    video = f"/api/projects/{api.project(url=origin.url('video.mp4'))}/video"
    assert api.client.head(video).status_code == 200
    origin.inject("/video.mp4", Status(403))
    answer = api.client.get(video)
    assert answer.status_code in (422, 502) and answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["page.html", "nothing.mp4"])
def test_what_is_no_video_is_a_sentence(api: Api, origin: Origin, path: str) -> None:
    answer = api.client.get(f"/api/projects/{api.project(url=origin.url(path))}/video")
    assert answer.status_code == 422 and answer.json()["outcome"] in ("not_media", "not_found")


def test_the_local_network_is_not_read_through_it(tmp_path: Path, origin: Origin) -> None:
    with an_api(tmp_path, max_retries=0) as api:
        answer = api.client.get(f"/api/projects/{api.project(url=origin.url('video.mp4'))}/video")
        assert answer.status_code == 422 and answer.json()["outcome"] == "refused"
        assert not origin.requests


def test_the_kept_download_comes_first(api: Api, origin: Origin, tmp_path: Path) -> None:
    number = api.project(url=origin.url("video.mp4"))
    api.library.set_project_video(number, a_file(tmp_path / "kept.mkv", b"kept"))
    answer = api.client.get(f"/api/projects/{number}/video")
    assert answer.content == b"kept" and answer.headers["content-type"] == "video/x-matroska"
    assert not origin.requests
