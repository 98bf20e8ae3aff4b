"""A stream that was kept goes on giving clips when its link is dead, and goes with its job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from kick_clip_generator.cli.main import main
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.jobs import delete_job, delete_project
from tests.origin import Origin, make_hls
from tests.streams import make_stream

pytestmark = pytest.mark.slow


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    monkeypatch.setenv("ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    monkeypatch.setenv("MAX_RETRIES", "0")
    make_hls(
        tmp_path / "web" / "ts", make_stream(tmp_path / "s.mp4", duration_s=30.0, events=[(12, 18)]), segment_s=4.0
    )
    with Origin(tmp_path / "web") as origin:
        yield origin


def first_and_last(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)]
    return pictures[0], pictures[-1], len(pictures)


def test_ends_are_moved_in_the_kept_download_when_the_link_is_dead(origin: Origin) -> None:
    link = origin.url("ts/index.m3u8")
    assert main(["download", link]) == 0
    assert main(["clip", link, "--start", "3", "--end", "7"]) == 0
    with Library.open(Path("clips.db")) as library:
        (clip,) = library.clips().items
    first, last, count = first_and_last(clip.path)
    origin.fail("/ts/index.m3u8", 404)
    for start, end in (("9", "13"), ("3", "7")):
        assert main(["clip", "--id", str(clip.id), "--start", start, "--end", end]) == 0
    again = first_and_last(clip.path)
    assert again[2] == count
    assert np.abs(again[0] - first).mean() < 2 and np.abs(again[1] - last).mean() < 2
    with Library.open(Path("clips.db")) as library:
        project = library.project_of_source(clip.source_id)
        assert project is not None and project.video is not None
        project.video.path.write_bytes(b"something else")
    assert main(["clip", "--id", str(clip.id), "--start", "9", "--end", "13"]) == 2, "not from a file that was changed"


def test_a_download_goes_with_its_job_and_measurements_with_their_project(origin: Origin) -> None:
    link = origin.url("ts/index.m3u8")
    assert main(["clip", link, "--start", "3", "--end", "7"]) == 0
    assert main(["download", link]) == 0
    settings = Settings()
    assert list(settings.feature_dir.glob("*.npz")), "measured for the clip's row"
    with Library.open(Path("clips.db")) as library:
        (job,) = (job for job in library.jobs().items if job.kind == "download")
        assert job.project_id is not None
        video = library.project(job.project_id).video
        assert video is not None and video.path.is_file()
        delete_job(library, settings, job.id)
        assert not video.path.exists() and library.project(job.project_id).video is None
        delete_project(library, settings, job.project_id)
        assert not list(settings.feature_dir.glob("*.npz")) and library.sources() == []
