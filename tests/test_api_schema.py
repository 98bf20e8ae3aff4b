"""The API against its own description, by a machine that tries what no person would."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from api_site import an_api
from library_facts import a_file
from ui_page import serving

# A video is fetched from wherever a made-up project says, and events never end by themselves; both have tests of their
# own.
LEFT_OUT = r"/projects/\{project_id\}/video$|/api/events$"

# A start behind its end, or no link where one belongs, is refused with 422 although no JSON Schema can say so.
SEMANTIC = "positive_data_acceptance"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.allow_error_log  # a stream of events that is open when the server ends
def test_no_answer_that_the_description_does_not_know(tmp_path: Path) -> None:
    if importlib.util.find_spec("schemathesis") is None:
        pytest.skip("schemathesis is not installed, so the API is not compared with its description.")
    with an_api(tmp_path) as api:
        clips = api.add_clips(5)
        project = api.project()
        api.library.attach_source(project, api.library.clip(clips[0]).source_id)
        file = a_file(tmp_path / "compound.mp4", api.media)
        part = {"clip_id": clips[0], "start_s": 0.0, "end_s": None, "at_s": 0.0}
        api.library.record_compound(project, "compound", file, 1.0, {"parts": [part]})
        with serving(api.app) as url:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/openapi.json"),
                    *("--exclude-path-regex", LEFT_OUT, "--exclude-checks", SEMANTIC),
                    *("--max-examples", "10", "--generation-database", "none", "--seed", "7", "--no-color"),
                ],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout or "generated" in done.stdout
