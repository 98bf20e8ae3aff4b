"""Single files of a web server: only what is needed is fetched, and neither drops nor expiry end a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.records import Rendition, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.file_reader import FileReader, HttpReader
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.net import patience
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import Traffic
from kick_clip_generator.sources.progressive import is_text, resolve_progressive
from kick_clip_generator.sources.range_file import BLOCK_BYTES
from tests.origin import Origin, Reply, Seen, Status
from tests.origin.media import ffmpeg

pytestmark = pytest.mark.slow

DURATION_S = 40.0
FIRST = Window(0, 0.0, 2.0, 0.0)
SECOND = Window(1, 0.0, 30.0, 2.0)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One recording of about 8 MB, with its index in front ("first.mp4") and at its end ("last.mp4"), and sound."""
    made = tmp_path_factory.mktemp("files")
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size=160x90:rate=25:duration={DURATION_S},noise=alls=60:allf=t"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={DURATION_S}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "32", "-g", "25", "-pix_fmt", "yuv420p", "-threads", "1"),
        *("-c:a", "aac", "-b:a", "64k", made / "last.mp4"),
    )
    ffmpeg("-i", made / "last.mp4", "-c", "copy", "-movflags", "+faststart", made / "first.mp4")
    for name in ("sound.m4a", "sound.mp3", "sound.ogg", "sound.wav"):
        codec = {"m4a": ["-c", "copy"], "ogg": ["-c:a", "libopus"]}.get(name[-3:], [])
        ffmpeg("-i", made / "last.mp4", "-vn", *codec, made / name)
    # The same file, with the same tag.
    os.link(made / "last.mp4", made / "fresh")
    return made


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as server:
        yield server


@pytest.fixture
def settings() -> Settings:
    values = {"allowed_private_hosts": "127.0.0.1", "request_timeout": 5, "max_retries": 1, "backoff_factor": 1}
    return Settings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["first.mp4", "last.mp4"])
def test_the_beginning_costs_the_index_and_the_beginning(
    name: str, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    size = (origin.folder / name).stat().st_size
    assert size > 20 * BLOCK_BYTES
    with HttpReader(Rendition(origin.url(name)), settings) as reader:
        assert reader.start(FIRST) == pytest.approx(0, abs=0.05)
        assert reader.fetch(FIRST, tmp_path / "chunk") > 0
        # A twentieth of the recording, an index of 60 KB, and whole blocks.
        assert reader.traffic.bytes_read < size / 20 + 5 * BLOCK_BYTES
        assert reader.traffic.requests == origin.requests.total()


def test_no_byte_is_fetched_twice_though_the_connection_drops(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    url = origin.url("last.mp4")
    size = (origin.folder / "last.mp4").stat().st_size

    def drop(seen: Seen, honest: Reply) -> Reply | None:
        if len(honest.body) < 1_000_000:
            return None
        return Reply(honest.status, honest.headers, honest.body[:900_000], length=len(honest.body), end="close")

    with HttpReader(Rendition(url), settings) as whole:
        whole.start(FIRST)
        whole.fetch(Window(0, 0.0, DURATION_S, 0.0), tmp_path / "whole")
        calm = whole.traffic
    origin.inject("*", drop)
    with HttpReader(Rendition(url), settings) as reader:
        reader.start(FIRST)
        reader.fetch(Window(0, 0.0, DURATION_S, 0.0), tmp_path / "chunk")
        assert (tmp_path / "chunk").read_bytes() == (tmp_path / "whole").read_bytes()
        assert reader.traffic.retries > 3
        assert reader.traffic.bytes_read == calm.bytes_read <= size + 2 * BLOCK_BYTES


def test_a_clip_from_the_middle_costs_its_middle(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    size = (origin.folder / "last.mp4").stat().st_size
    with HttpReader(Rendition(origin.url("last.mp4")), settings) as reader:
        reader.span(Span(20, 22), tmp_path)
        opened = reader.traffic
        reader.span(Span(30, 32), tmp_path)
        assert reader.traffic.bytes_read - opened.bytes_read < size / 10 + 4 * BLOCK_BYTES


@pytest.mark.parametrize("kind", ["", "application/octet-stream", "text/plain", "text/html", "image/jpeg"])
@pytest.mark.parametrize("name", ["last.mp4", "sound.mp3", "sound.m4a", "sound.ogg", "sound.wav"])
def test_neither_name_nor_type_needs_to_be_right(name: str, kind: str, origin: Origin, settings: Settings) -> None:
    origin.page("/x", (origin.folder / name).read_bytes())
    origin.content_type("/x", kind)
    with Inquiry(origin.url("x") + "?token=s3cret", settings) as inquiry:
        source = resolve_progressive(inquiry)
    assert source is not None
    assert source.duration_s == pytest.approx(DURATION_S, abs=0.3)
    assert (source.renditions[0].has_video, source.renditions[0].has_audio) == (name == "last.mp4", True)
    assert (source.provider, source.link) == ("http", inquiry.url)
    assert "s3cret" not in repr(source)


def test_a_text_is_told_from_media() -> None:
    assert is_text("Não há vídeo.\n".encode()) and is_text("…".encode()[:-1]) and is_text(b"")
    assert not is_text(b"ID3\x04\x00") and not is_text(b"\xff\xfb\x90\x64") and not is_text("…".encode()[:-1] + b"abcd")


def test_an_address_that_expires_mid_run_is_renewed_once(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    renewals = []

    def renew() -> Rendition:
        renewals.append(1)
        return Rendition(origin.url("fresh"))

    rendition = Rendition(origin.url("last.mp4"))
    carry = Carry((("X-Token", "s3cret"),), Carry().also_for(rendition).origins)
    with HttpReader(rendition, settings, carry=carry, renew=renew) as reader:
        reader.start(FIRST)
        reader.fetch(FIRST, tmp_path / "chunk")
        reader.span(Span(0, 1), tmp_path)
        origin.fail("/last.mp4", 403)
        assert reader.fetch(Window(1, 0.0, DURATION_S, 2.0), tmp_path / "chunk") > 0
        # The demuxer for clips learns of the new address without another renewal.
        assert reader.span(Span(30, 31), tmp_path).path.stat().st_size > 0
    assert renewals == [1]
    assert all(seen.headers["x-token"] == "s3cret" for seen in origin.seen)


@pytest.mark.parametrize(
    ("status", "outcome", "retryable"),
    [(503, "server", True), (403, "blocked", True), (404, "not_found", False), (429, "rate_limited", True)],
)
def test_a_server_that_stops_answering_ends_the_run_but_not_for_good(
    status: int, outcome: str, retryable: bool, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    with HttpReader(Rendition(origin.url("last.mp4")), settings, renew=lambda: None) as reader:
        reader.start(FIRST)
        reader.fetch(FIRST, tmp_path / "chunk")
        origin.inject("*", Status(status))
        for act in (
            lambda: reader.fetch(SECOND, tmp_path / "chunk"),
            lambda: reader.start(Window(9, 30.0, 40.0, 32.0)),
            lambda: reader.span(Span(20, 21), tmp_path),
        ):
            with pytest.raises(SourceLost, match=r"^http://127\.0\.0\.1:\d+/last\.mp4 .*\.$") as caught:
                act()
            assert (caught.value.outcome, caught.value.retryable) == (outcome, retryable)
    assert not list(tmp_path.glob("span_*"))


def test_a_dead_network_is_said_to_be_one(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    nowhere = Rendition("http://nobody.invalid/last.mp4")
    with HttpReader(Rendition(origin.url("last.mp4")), settings, renew=lambda: nowhere) as reader:
        reader.start(FIRST)
        origin.fail("/last.mp4", 403)
        with pytest.raises(SourceLost) as caught:
            reader.fetch(SECOND, tmp_path / "chunk")
    assert (caught.value.outcome, caught.value.retryable) == ("unreachable", True)


def test_a_file_that_changes_mid_run_is_lost(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    with HttpReader(Rendition(origin.url("last.mp4")), settings) as reader:
        reader.start(FIRST)
        origin.page("/last.mp4", (origin.folder / "first.mp4").read_bytes())
        for act in (lambda: reader.fetch(SECOND, tmp_path / "chunk"), lambda: reader.span(Span(1, 2), tmp_path)):
            with pytest.raises(SourceLost) as caught:
                act()
            assert (caught.value.outcome, caught.value.retryable) == ("changed", False)


def test_an_address_that_has_expired_before_it_is_opened_is_renewed(origin: Origin, settings: Settings) -> None:
    origin.fail("/stale", 403)
    stale, fresh = (Rendition(origin.url(name)) for name in ("stale", "last.mp4"))
    with HttpReader(stale, settings, renew=lambda: fresh) as reader:
        assert reader.info.duration_s == pytest.approx(DURATION_S, abs=0.1)
    with pytest.raises(SourceError) as caught:
        HttpReader(stale, settings, renew=lambda: None)
    assert caught.value.outcome == "blocked"


def test_a_local_file_has_no_holes_and_no_traffic(folder: Path) -> None:
    with FileReader(Rendition(str(folder / "last.mp4"))) as reader:
        assert (reader.holes, reader.breaks_s, reader.traffic) == ((), (), Traffic())
        assert reader.info.duration_s == pytest.approx(DURATION_S, abs=0.1)
