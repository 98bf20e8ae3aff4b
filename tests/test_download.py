"""A stream is kept whole: every picture once, whatever it is made of, and also when it was interrupted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from kick_clip_generator.cli.main import main
from kick_clip_generator.core.errors import Cancelled, InputError
from kick_clip_generator.core.progress import CancelToken, silent
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Published
from kick_clip_generator.pipeline.download import Kept, download
from kick_clip_generator.sources.resolve import resolve
from tests.origin import Origin, make_hls, make_media

pytestmark = pytest.mark.slow

DURATION_S = 13.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("download")
    whole = make_media(folder / "whole.mp4", duration_s=DURATION_S)
    for container in ("mpegts", "fmp4"):
        make_hls(folder / container, whole, container, renditions=["160p"])
        make_hls(folder / f"{container}_split", whole, container, renditions=["160p"], separate_audio=True)
    return folder


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as origin:
        yield origin


@pytest.fixture(autouse=True)
def _short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kick_clip_generator.pipeline.download.STRETCH_S", 4.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        allowed_private_hosts="127.0.0.1", max_retries=1, request_timeout=5, download_dir=tmp_path / "downloads"
    )


def fetched(url: str, settings: Settings, known: dict[int, dict[str, Any]], *, only: int = 99) -> Published:
    def keep(kept: Kept) -> None:
        if len(known) == only:
            raise Cancelled("as if killed")
        known[kept.n] = {"name": kept.name, "size": kept.size, "offset_s": kept.offset_s}

    return download(
        resolve(url, settings),
        key="a",
        known=known,
        keep=keep,
        settings=settings,
        progress=silent,
        cancel=CancelToken(),
    )


def shown(path: Path) -> tuple[list[float], float]:
    """When each picture is shown, from the first on, and how long the sound lasts."""
    with av.open(str(path)) as container:
        times = sorted(frame.time for frame in container.decode(video=0))
    with av.open(str(path)) as container:
        sound = list(container.decode(audio=0))
    return [time - times[0] for time in times], sum(f.samples for f in sound) / sound[0].sample_rate


@pytest.mark.parametrize("way", ["mpegts", "fmp4", "mpegts_split", "fmp4_split", "whole.mp4"])
def test_every_picture_arrives_once(way: str, origin: Origin, settings: Settings, folder: Path) -> None:
    url = origin.url(f"/{way}" if way.endswith(".mp4") else f"/{way}/master.m3u8")
    kept = fetched(url, settings, {})
    assert kept.path.parent == settings.download_dir.resolve() and kept.path.stat().st_size == kept.size
    times, sound_s = shown(kept.path)
    expected, expected_sound_s = shown(folder / "whole.mp4")
    assert len(times) == len(expected)
    assert max(abs(one - other) for one, other in zip(times, expected, strict=True)) < 0.02
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.1
    assert abs(sound_s - expected_sound_s) < 0.1
    assert [path.name for path in settings.download_dir.iterdir()] == [kept.path.name]


def test_what_was_kept_is_not_fetched_again(origin: Origin, settings: Settings, folder: Path) -> None:
    known: dict[int, dict[str, Any]] = {}
    with pytest.raises(Cancelled):
        fetched(origin.url("/mpegts/master.m3u8"), settings, known, only=2)
    assert sorted(known) == [0, 1]
    origin.forget()
    kept = fetched(origin.url("/mpegts/master.m3u8"), settings, known)
    assert origin.requests["/mpegts/160p_000.ts"] <= 1, "only looked at"
    assert origin.requests["/mpegts/160p_005.ts"] == 1
    assert len(shown(kept.path)[0]) == len(shown(folder / "whole.mp4")[0])


def test_a_local_file_needs_no_download(folder: Path, settings: Settings) -> None:
    with pytest.raises(InputError, match="on this computer already"):
        fetched(str(folder / "whole.mp4"), settings, {})


def test_the_command_keeps_a_stream(
    origin: Origin, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    assert main(["download", origin.url("/mpegts/master.m3u8"), "--quality", "480p"]) == 0
    kept = Path(capsys.readouterr().out.strip())
    assert kept.parent.name == "downloads" and len(shown(kept)[0]) > 300
    with Library.open(Path("clips.db")) as library:
        (job,) = library.jobs().items
        assert (job.kind, job.status, job.payload) == ("download", "done", {"quality": "480p"})
    assert main(["download", origin.url("/mpegts/missing.m3u8")]) == 2
