"""The doctor names what is broken, says how to mend it, and never breaks itself."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kick_clip_generator.cli import doctor
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings, load_settings


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"PORT": free_port()})


def findings(settings: Settings, **options: Any) -> dict[str, doctor.Check]:
    return {check.what: check for check in doctor.examine(settings, platform_url=None, **options)}


def command(settings: Settings, *flags: str) -> int:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    args = parser.parse_args(["--no-network", *flags])
    args.quiet = False
    return doctor.run(args, settings)


def test_a_healthy_machine_passes_and_nothing_is_left_behind(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(settings) == 0
    out = capsys.readouterr().out
    for word in ("Python", "ffmpeg", "PyAV", "clips folder", "database", "port", "GPU", "yt-dlp"):
        assert word in out
    assert list(tmp_path.iterdir()) == []


def test_json_tells_the_same(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(settings, "--json", "report.json") == 0
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["failed"] == 0
    for check in report["checks"]:
        assert check["state"] in ("ok", "warn") and check["finding"] in printed
    assert command(settings, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["failed"] == 0
    with pytest.raises(InputError, match="cannot be written"):
        command(settings, "--json", "no/such/folder/report.json")


def test_an_ffmpeg_that_is_not_there_fails(settings: Settings) -> None:
    check = findings(load_settings({"FFMPEG_PATH": "/nowhere/ffmpeg"}))["ffmpeg"]
    assert check.state == "fail" and "FFMPEG_PATH" in check.finding


@pytest.mark.skipif(os.name != "posix", reason="the made programs are shell scripts")
@pytest.mark.parametrize("script", ["exit 3", "echo ffmpeg version 1 Copyright; echo libmp3lame"])
def test_an_ffmpeg_that_does_not_run_or_lacks_encoders_fails(tmp_path: Path, script: str) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    check = findings(load_settings({"FFMPEG_PATH": str(program)}))["ffmpeg"]
    assert check.state == "fail" and "unset FFMPEG_PATH" in check.fix


def test_a_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "clips").touch()
    assert command(load_settings({"OUTPUT_DIR": "clips"})) == 1


def test_little_room_is_a_warning(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOMY_BYTES", 2**60)
    check = findings(settings)["clips folder"]
    assert check.state == "warn" and "free some space" in check.fix


def test_a_database_that_is_none_fails_and_the_rest_is_still_looked_at(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "clips.db").write_bytes(b"no database at all" * 100)
    checks = findings(settings)
    assert checks["database"].state == "fail"
    assert checks["port"].state == "ok"
    assert (tmp_path / "clips.db").read_bytes() == b"no database at all" * 100


def test_a_port_in_use_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check = findings(load_settings({"PORT": server.getsockname()[1]}))["port"]
    assert check.state == "warn" and "PORT" in check.fix


def test_a_misspelt_setting_is_found(settings: Settings, tmp_path: Path) -> None:
    sheet, env = tmp_path / "config.py", tmp_path / ".env"
    sheet.write_text("# CHUNK_DURATON = 1\nCHUNK_OVERLAPP = 5\nPORT = 7860\n")
    env.write_text("export MAX_RETRYS=3\nAWS_REGION=x\n")
    warnings = [c for c in doctor.check_settings(settings, sheet=sheet, env=env) if c.state == "warn"]
    assert [(c.finding.split()[2], c.fix) for c in warnings] == [
        ("CHUNK_OVERLAPP,", "write CHUNK_OVERLAP"),
        ("MAX_RETRYS,", "write MAX_RETRIES"),
    ]


@pytest.fixture
def platform() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(403 if self.path == "/refuses" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("page", ["", "refuses"])
def test_a_platform_that_answers_is_reached(platform: str, page: str) -> None:
    (check,) = doctor.check_network(platform + page)
    assert check.state == "ok"


def test_offline_is_a_warning() -> None:
    for url in (f"http://127.0.0.1:{free_port()}/", "https://kick.invalid/"):
        (check,) = doctor.check_network(url)
        assert check.state == "warn" and "connection" in check.fix


def test_a_missing_package_fails_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy==0.1\nno-such-package-at-all==1\ncolorama==9 ; x\n")
    (check,) = doctor.check_packages()
    assert check.state == "fail" and "1 missing, 1 of another version" in check.finding
    assert sys.executable in check.fix and "requirements.txt" in check.fix


def test_a_check_that_breaks_is_a_finding(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path / "gone")
    checks = findings(settings)
    assert checks["packages"].state == "fail" and "FileNotFoundError" in checks["packages"].finding
    assert checks["PyAV"].state == "ok"
