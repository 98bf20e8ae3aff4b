"""The test origin does what it says: other tests rest on it."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
import requests

from tests.origin import (
    Agents,
    Drip,
    Empty,
    Fault,
    First,
    Origin,
    Reply,
    Reset,
    Shortened,
    Stall,
    Status,
    Truncated,
    random_faults,
    too_many,
)
from tests.origin.shift import WRAP_90KHZ
from tests.origin.virtual import SEGMENT_S, VirtualStream

BODY = bytes(range(256)) * 400


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "data.ts").write_bytes(BODY)
    (tmp_path / "v" / "index.m3u8").write_text('#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4,\ndata.ts\n')
    with Origin(tmp_path) as origin:
        yield origin


def get(origin: Origin, path: str = "/v/data.ts", **headers: str) -> requests.Response:
    # Strict about lengths, unlike `content` of a plain response.
    with requests.get(origin.url(path), headers=headers, timeout=0.5, stream=True) as response:
        response.raw.enforce_content_length = True
        assert response.content is not None
        return response


def test_requests_and_bytes_are_counted(origin: Origin) -> None:
    assert get(origin).content == BODY
    assert get(origin, Range="bytes=100-199").content == BODY[100:200]
    assert origin.requests == {"/v/data.ts": 2}
    assert origin.bytes_sent == {"/v/data.ts": len(BODY) + 100}


@pytest.mark.parametrize("fault", [Reset(), Truncated(), Stall(), Drip(1000), Reset(0.0)])
def test_a_body_that_does_not_come_whole_is_an_error(fault: Fault, origin: Origin) -> None:
    origin.inject("/v/*.ts", First(1, fault))
    began_s = time.monotonic()
    if isinstance(fault, Drip):
        with requests.get(origin.url("/v/data.ts"), timeout=0.5, stream=True) as response:
            assert len(next(response.iter_content(50))) == 50
            assert len(next(response.iter_content(50))) == 50
        assert time.monotonic() - began_s >= 0.05
    else:
        with pytest.raises(requests.RequestException):
            get(origin)
    assert get(origin).content == BODY


@pytest.mark.parametrize(("fault", "size"), [(Shortened(), len(BODY) // 2), (Empty(), 0)])
def test_what_lies_about_its_length_is_no_error(fault: Fault, size: int, origin: Origin) -> None:
    origin.inject("/v/data.ts", fault)
    response = get(origin)
    assert response.status_code == 200 and response.content == BODY[:size]


def test_who_is_refused(origin: Origin) -> None:
    origin.inject("*", Agents("Firefox", Status(403)))
    origin.inject("/v/data.ts", First(1, too_many(7)))
    assert get(origin).headers["Retry-After"] == "7"
    assert get(origin, **{"User-Agent": "Firefox/1"}).status_code == 403
    assert get(origin).content == BODY
    origin.heal()
    assert get(origin, **{"User-Agent": "Firefox/1"}).content == BODY


def test_a_signature_pays_for_a_few_files(origin: Origin) -> None:
    origin.sign("/v/index.m3u8", after=2)
    assert get(origin).status_code == 403
    for n in (1, 2):
        lines = get(origin, "/v/index.m3u8").text.splitlines()
        assert lines[1] == f'#EXT-X-MAP:URI="init.mp4?token=t{n}"' and lines[3] == f"data.ts?token=t{n}"
        statuses = [get(origin, f"/v/{lines[3]}").status_code for _ in range(3)]
        assert statuses == [200, 200, 403]


def test_random_faults_are_the_same_in_every_run_and_as_many_as_wanted(origin: Origin) -> None:
    origin.mount("/many/", lambda seen: b"x")
    struck = []
    for _ in range(2):
        origin.heal()
        faults = random_faults(0.2, kinds=[Status(403), Status(503)], seed=5)
        origin.inject("*", faults)
        struck.append([get(origin, f"/many/{n}").status_code for n in range(200)])
        assert get(origin, "/v/index.m3u8").status_code == 200
    assert struck[0] == struck[1]
    assert 20 <= 200 - struck[0].count(200) <= 60
    assert set(struck[0]) == {200, 403, 503}


def test_a_callable_may_answer_whole(origin: Origin) -> None:
    origin.mount("/api/", lambda seen: Reply(201, {"X-Saw": seen.method}, seen.body) if seen.query else None)
    assert get(origin, "/api/x").status_code == 404
    answer = requests.post(origin.url("/api/x?y=1"), data=b"question", timeout=5)
    assert (answer.status_code, answer.content, answer.headers["X-Saw"]) == (201, b"question", "POST")


@pytest.mark.slow
def test_a_virtual_stream_goes_on_without_a_seam(tmp_path: Path) -> None:
    stream = VirtualStream.made(tmp_path, 40 * 3600, large=False)
    rendition = stream.renditions["160p"]
    wrap = WRAP_90KHZ // 90_000 // SEGMENT_S
    for first in (14, wrap - 1):
        data = b"".join(rendition.segment(n) for n in range(first, first + 4))
        for kind, frame in (("video", 3000), ("audio", 1920)):
            with av.open(io.BytesIO(data)) as container:
                stamps = [packet.pts for packet in container.demux(**{kind: 0}) if packet.pts is not None]
            # The demuxer unwraps what wraps.
            assert {after - before for before, after in itertools.pairwise(sorted(stamps))} == {frame}
            assert len(stamps) * frame == pytest.approx(4 * SEGMENT_S * 90_000, abs=frame)
            assert stamps[0] % WRAP_90KHZ == pytest.approx((1.4 + first * SEGMENT_S) * 90_000 % WRAP_90KHZ, abs=9000)
    assert sum(len(rendition.segment(n)) for n in range(40)) == rendition.size(0, 40)
