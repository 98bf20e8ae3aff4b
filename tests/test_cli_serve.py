"""`serve` and `password` as users call them."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from kick_clip_generator.cli.main import main
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.door import Door

ROOT = Path(__file__).parents[1]


def test_a_password_is_set_and_taken_away(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long password\n"))
    assert main(["password"]) == 0 and "is set" in capsys.readouterr().out
    settings = Settings()
    with Library.open(settings.database_path) as library:
        assert Door(library, settings).log_in("a long password", "here")
    assert main(["password", "--remove", "-q"]) == 0 and not capsys.readouterr().out
    with Library.open(settings.database_path) as library:
        assert not Door(library, settings).needs_login


def test_a_password_that_is_too_short_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert main(["password"]) == 2
    assert capsys.readouterr().err == "error: A password has 8 to 1000 characters; choose another one.\n"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--host", "0.0.0.0", "--port", "39999"], "no password is set"),
        (["--host", "nowhere.invalid"], "no address of this computer"),
        (["--port", "70000"], "PORT=70000"),
        (["--port", "x"], "--port"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *flags]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to a single process.")
@pytest.mark.parametrize("flags", [[], ["--reload"]])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, flags: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = f"import sys; from kick_clip_generator.cli.main import main; sys.exit(main(['serve', *{flags!r}]))"
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PORT": str(port), "WORKERS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert server.stdout is not None
        assert f"http://127.0.0.1:{port}" in server.stdout.readline()
        with httpx.Client(transport=httpx.HTTPTransport(retries=5), timeout=60) as client:
            assert client.get(f"http://127.0.0.1:{port}/api/health").json() == {"status": "ok"}
            # The API alone: no page, and so no Gradio to import.
            assert client.get(f"http://127.0.0.1:{port}/").status_code == 404
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=60)
        assert server.returncode == 0 and "Traceback" not in errors, errors
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
