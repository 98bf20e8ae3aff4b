"""The server: who may ask, what it gives, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from ui_page import Site, a_site

from kick_clip_generator.api.media import attachment
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.server import open_gui
from kick_clip_generator.service.door import set_password

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("server")) as site:
        yield site


def test_health(site: Site) -> None:
    answer = httpx.get(f"{site.url}/api/health")
    assert answer.status_code == 200 and answer.json()["status"] == "ok"


def test_a_clip_plays_in_parts(site: Site) -> None:
    (clip,) = site.add_clips(1)
    whole = httpx.get(f"{site.url}/api/clips/{clip}/video")
    assert whole.content == site.media and whole.headers["content-type"] == "video/mp4"
    part = httpx.get(f"{site.url}/api/clips/{clip}/video", headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == site.media[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(site.media)}"
    behind = httpx.get(f"{site.url}/api/clips/{clip}/video", headers={"Range": f"bytes={len(site.media)}-"})
    assert behind.status_code == 416


def test_a_clip_that_did_not_change_is_not_sent_again(site: Site) -> None:
    (clip,) = site.add_clips(1)
    url = f"{site.url}/api/clips/{clip}/video"
    etag = httpx.get(url).headers["etag"]
    again = httpx.get(url, headers={"If-None-Match": f'"other", W/{etag}'})
    assert again.status_code == 304 and not again.content
    path = site.library.clip(clip).path
    path.write_bytes(site.media + b"\0" * 8)
    assert httpx.get(url, headers={"If-None-Match": etag}).status_code == 200


def test_a_download_carries_the_files_name(site: Site) -> None:
    (clip,) = site.add_clips(1)
    answer = httpx.get(f"{site.url}/api/clips/{clip}/download")
    assert answer.content == site.media
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{site.library.clip(clip).name}"')


@pytest.mark.parametrize(
    "name", ["plain.mp4", 'a"b\\c.mp4', "夜 🎮.mp4", "x\r\nSet-Cookie: a=b.mp4", "100%.mp4", "caf\udce9.mp4"]
)
def test_any_name_makes_a_header_that_stays_one(name: str) -> None:
    header = attachment(name)
    assert "\n" not in header and "\r" not in header
    header.encode("ascii")
    parsed = Message()
    parsed["Content-Disposition"] = header.split("; filename*=")[0]
    assert "%" not in (parsed.get_filename() or "")
    assert unquote(header.rsplit("''", 1)[1]) == name.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("clip", ["999999", "0", "-1", "99999999999999999999999", "..%2f..%2fetc%2fpasswd", "%2e%2e"])
def test_what_is_no_row_is_refused(site: Site, clip: str) -> None:
    for what in ("video", "download"):
        assert httpx.get(f"{site.url}/api/clips/{clip}/{what}").status_code in (404, 422)


def test_a_file_that_is_gone_is_said_to_be(site: Site) -> None:
    (clip,) = site.add_clips(1)
    site.library.clip(clip).path.unlink()
    answer = httpx.get(f"{site.url}/api/clips/{clip}/video")
    assert answer.status_code == 404 and "moved or deleted" in answer.json()["detail"]


def test_a_row_that_names_no_clip_file_is_not_served(site: Site) -> None:
    (clip,) = site.add_clips(1, suffix=".db")
    assert httpx.get(f"{site.url}/api/clips/{clip}/video").status_code == 404


def test_lists_turn_page_by_key_and_hide_paths(site: Site) -> None:
    ids = site.add_clips(3, title="Page by key")
    query = f"{site.url}/api/clips?text=by+key&sort=oldest&limit=2"
    first = httpx.get(query).json()
    second = httpx.get(query, params={"text": "by key", "sort": "oldest", "limit": 2, "after": first["after"]}).json()
    assert [clip["id"] for clip in first["clips"] + second["clips"]] == ids and second["after"] is None
    assert str(site.folder) not in httpx.get(query).text
    for wrong in ("limit=0", "sort=smell", "kind=smell", "min_stars=6", "after=nonsense"):
        assert httpx.get(f"{site.url}/api/clips?{wrong}").status_code == 422


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "10.0.0.7", "[::bad"]
)
def test_a_rebound_name_is_refused(site: Site, host: str) -> None:
    for path in ("/", "/api/health", "/gradio_api/info"):
        assert httpx.get(site.url + path, headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:7860"])
def test_loopback_names_are_ours(site: Site, host: str) -> None:
    assert httpx.get(f"{site.url}/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", ""])
def test_a_post_from_another_page_is_refused(site: Site, origin: str) -> None:
    answer = httpx.post(f"{site.url}/gradio_api/queue/join", json={}, headers={"Origin": origin})
    assert answer.status_code == 403
    own = httpx.post(f"{site.url}/gradio_api/queue/join", json={}, headers={"Origin": site.url})
    assert own.status_code != 403


def test_no_other_page_may_frame_it_or_be_talked_to(site: Site) -> None:
    policy = httpx.get(site.url).headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy and "connect-src 'self'" in policy and "http" not in policy


def test_a_path_in_a_request_does_not_bring_the_file(site: Site) -> None:
    config = httpx.get(f"{site.url}/config").json()
    secret = site.settings.database_path
    for target in ("/etc/passwd", str(secret)):
        data = {"path": target, "meta": {"_type": "gradio.FileData"}, "orig_name": "x"}
        for dependency in config["dependencies"]:
            body = {"data": [data] * len(dependency["inputs"]), "fn_index": dependency["id"], "session_hash": "s"}
            answer = httpx.post(f"{site.url}/gradio_api/run/predict", json=body, timeout=30)
            assert "root:" not in answer.text and "SQLite format" not in answer.text
            if dependency["inputs"]:
                assert answer.status_code >= 400, dependency
        assert httpx.get(f"{site.url}/gradio_api/file={target}").status_code in (403, 404)


def test_the_page_is_behind_the_login(site: Site) -> None:
    def waited_for(status: int) -> None:
        # The server looks once a second whether somebody has set a password.
        deadline_s = time.monotonic() + 30
        while httpx.get(f"{site.url}/config").status_code != status:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)

    set_password(site.library, "a long password")
    try:
        waited_for(401)
        page = httpx.get(site.url, headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        for path in ("gradio_api/info", "gradio_api/file=/etc/passwd", "gradio_api/queue/data", "theme.css"):
            assert httpx.get(f"{site.url}/{path}").status_code == 401, path
        assert httpx.post(f"{site.url}/gradio_api/queue/join", json={}).status_code == 401
        with httpx.Client(base_url=site.url) as visitor:
            assert visitor.post("/login", data={"password": "a long password"}).status_code == 303
            assert visitor.get("/config").status_code == 200
    finally:
        set_password(site.library, None)
        waited_for(200)


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}.*PORT"):
            open_gui(Settings(port=port, database_path=tmp_path / "clips.db"), open_browser=False)


def test_an_address_of_somebody_else_is_one_sentence(tmp_path: Path) -> None:
    for host in ("nowhere.invalid", "a" * 300):
        with pytest.raises(InputError, match="HOST"):
            open_gui(Settings(host=host, port=9, database_path=tmp_path / "clips.db"), open_browser=False)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to a single process.")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_although_a_page_is_open(tmp_path: Path, sign: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = "import sys; from kick_clip_generator.cli.main import main; sys.exit(main(['--gui', '--no-browser']))"
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert f"http://127.0.0.1:{port}" in server.stdout.readline()
        # An event stream that never ends by itself, like those of an open page.
        with httpx.stream("GET", f"http://127.0.0.1:{port}/gradio_api/heartbeat/abc", timeout=30) as stream:
            assert stream.status_code == 200
            server.send_signal(sign)
            _, errors = server.communicate(timeout=10)
        assert server.returncode == 0 and "Traceback" not in errors and "ERROR" not in errors
    finally:
        server.kill()
        server.wait()
