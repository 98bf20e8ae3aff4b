"""The way in: pins, the launcher behind run.sh, and the guards that every test runs under."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
CORE_UTILITIES = ("cat", "dirname", "readlink", "sleep")


def pins(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text().splitlines()
    return {r.name: r for r in (Requirement(line) for line in lines if not line.startswith("#"))}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# --- pins


def test_requirements_pin_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core, test = pins("requirements.txt"), pins("requirements-test.txt")
    for asked, pinned in (
        (project["dependencies"], core),
        (project["dependencies"] + project["optional-dependencies"]["test"], test),
    ):
        for requirement in map(Requirement, asked):
            pin = pinned[canonical(requirement.name)]
            (version,) = pin.specifier
            assert version.operator == "==" and requirement.specifier.contains(version.version), str(requirement)
    assert {name: test[name] for name in core} == core, "the tests must run on what users run"


def test_requirements_tell_nothing_of_the_machine_that_made_them() -> None:
    for name in ("requirements.txt", "requirements-test.txt"):
        for line in (ROOT / name).read_text().splitlines()[1:]:
            assert re.fullmatch(r"[a-z0-9-]+==[\w.+]+( ; .+)?", line), line


def test_no_torch_in_the_install() -> None:
    assert not {name for name in pins("requirements-test.txt") if "torch" in name or name.startswith("nvidia")}


# --- run.sh

posix_only = pytest.mark.skipif(os.name != "posix", reason="run.sh needs a POSIX shell")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that needs no package, whose `main.py` tells how it was called, in a folder with a space."""
    folder = tmp_path / "a checkout"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "run.sh", folder)
    shutil.copy(ROOT / "tools" / "launch.py", folder / "tools")
    (folder / "requirements.txt").write_text("# none\n")
    (folder / "requirements-test.txt").write_text("# none\n")
    (folder / "main.py").write_text("import os, sys\nprint(sys.prefix, os.getcwd(), *sys.argv[1:], sep='|')\n")
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with the core utilities, a Python, and a uv that only notes its calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in CORE_UTILITIES:
        program = shutil.which(name)
        assert program is not None
        (folder / name).symlink_to(program)
    (folder / "python3").symlink_to(Path(sys.executable).resolve())
    use_uv(folder, "")
    return folder


def use_uv(path: Path, then: str) -> None:
    uv = path / "uv"
    uv.write_text(f'#!/bin/sh\necho "$@" >> "{path}/uv.calls"\n{then}\n')
    uv.chmod(0o755)


def installs(path: Path) -> int:
    calls = path / "uv.calls"
    return len(calls.read_text().splitlines()) if calls.exists() else 0


Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def launch(checkout: Path, path: Path, tmp_path: Path) -> Launch:
    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(checkout / "run.sh"), *arguments],
            cwd=tmp_path,
            env={"PATH": str(path), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def finished(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


@posix_only
def test_arguments_and_folder_are_handed_over_and_nothing_is_installed_twice(
    launch: Launch, checkout: Path, path: Path, tmp_path: Path
) -> None:
    arguments = ["--url", "https://host/a b?x=1&y=2!", "--title", "*", "", "'\"$HOME"]
    out, err = finished(launch(*arguments))
    assert out == "|".join([str(checkout / ".venv"), str(tmp_path), *arguments]) + "\n"
    assert "Setting up" in err and installs(path) == 1
    out, err = finished(launch())
    assert out.endswith("|--gui\n") and err == ""
    assert installs(path) == 1
    link = tmp_path / "kick"
    link.symlink_to(checkout / "run.sh")
    assert subprocess.run([link, "x"], env={"PATH": str(path)}, capture_output=True, text=True).stdout.endswith("|x\n")


@posix_only
def test_changed_requirements_are_installed_and_rubble_is_built_anew(
    launch: Launch, checkout: Path, path: Path
) -> None:
    finished(launch())
    (checkout / "requirements.txt").write_text("# another version\n")
    kept = checkout / ".venv" / "kept"
    kept.touch()
    finished(launch())
    assert installs(path) == 2 and kept.exists()
    (checkout / ".venv" / ".installed").unlink()  # as an interrupted run leaves it
    finished(launch())
    assert installs(path) == 3 and not kept.exists()
    # The Python it was made with is gone.
    for name in ("python", "python3"):
        (checkout / ".venv" / "bin" / name).unlink(missing_ok=True)
        (checkout / ".venv" / "bin" / name).symlink_to("/nowhere/python")
    finished(launch())
    assert installs(path) == 4


@posix_only
def test_a_killed_install_is_redone(launch: Launch, checkout: Path, path: Path) -> None:
    use_uv(path, "sleep 60")
    process = launch()
    while installs(path) == 0:
        time.sleep(0.05)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    use_uv(path, "")
    finished(launch())
    assert installs(path) == 2


@posix_only
def test_two_at_once_install_once(launch: Launch, path: Path) -> None:
    use_uv(path, "sleep 1")
    processes = [launch(str(n)) for n in range(2)]
    outputs = [finished(process)[0] for process in processes]
    assert [output.rsplit("|", 1)[1] for output in outputs] == ["0\n", "1\n"]
    assert installs(path) == 1


@posix_only
def test_test_command_runs_pytest_in_the_checkout(launch: Launch, checkout: Path, path: Path) -> None:
    use_uv(path, f'echo "import sys; print(sys.argv[1:])" > "{checkout}/pytest.py"')
    out, _ = finished(launch("test", "-k", "a or b"))
    assert out == "['-k', 'a or b']\n"
    assert "requirements-test.txt" in (path / "uv.calls").read_text()
    finished(launch())
    assert installs(path) == 1, "the test pins contain the core pins"


@posix_only
@pytest.mark.slow
def test_without_uv_pip_installs(launch: Launch, path: Path) -> None:
    (path / "uv").unlink()
    out, _ = finished(launch("x", PIP_NO_INDEX="1"))
    assert out.endswith("|x\n")


@posix_only
@pytest.mark.parametrize("environment", [{}, {"PYTHON": "/bin/false"}, {"PYTHON": "/nowhere/python"}])
def test_no_python_is_one_sentence(launch: Launch, path: Path, environment: dict[str, str]) -> None:
    if not environment:
        (path / "python3").unlink()
    process = launch("x", **environment)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.count("\n") == 1 and "Python 3.11, 3.12 or 3.13" in err


# --- floors

FORBIDDEN = {
    "media": "kick_clip_generator.sources",
    "sources": "kick_clip_generator.features",
    "library": "kick_clip_generator.media",
    "cli": "av",
    "jobs": "sqlalchemy",
    "highlights": "sklearn",
    "service": "gradio",
    "ui": "fastapi",
    "pipeline": "yt_dlp",
    "core": "requests",
}


def test_every_contract_breaks_on_a_forbidden_import(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "kick_clip_generator"
    for folder in (folder for folder in (ROOT / "kick_clip_generator").iterdir() if (folder / "__init__.py").exists()):
        (package / folder.name).mkdir(parents=True)
        (package / folder.name / "__init__.py").touch()
    for module in ("__init__", "generator", "server"):
        (package / f"{module}.py").touch()
    for module, imported in FORBIDDEN.items():
        (package / module / "planted.py").write_text(f"import {imported}\n")
    result = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert " KEPT" not in result.stdout and result.stdout.count(" BROKEN") >= 8, result.stdout + result.stderr
    for module, imported in FORBIDDEN.items():
        assert f"kick_clip_generator.{module}.planted -> {imported}" in result.stdout


# --- the guards of conftest.py


def test_guards_fail_what_they_should(tmp_path: Path) -> None:
    for name in ("conftest.py", "databases.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path)
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\npythonpath = {ROOT}\nmarkers = allow_error_log: x\naddopts = -p no:cacheprovider\n"
    )
    (tmp_path / "test_inner.py").write_text("""
import logging, os, socket, urllib.request
import pytest
from kick_clip_generator.core.settings import load_settings

def test_bad_error():
    logging.getLogger("kick_clip_generator.x").error("boom")

def test_bad_swallowed_request():
    try:
        urllib.request.urlopen("http://192.0.2.1/", timeout=1)
    except OSError:
        pass

def test_bad_lookup():
    try:
        socket.getaddrinfo("example.com", 80)
    except OSError:
        pass

@pytest.mark.allow_error_log
def test_good_marked():
    logging.getLogger("kick_clip_generator.x").error("boom")

def test_good_warning():
    logging.getLogger("kick_clip_generator.x").warning("hm")

def test_good_unknown_host():
    with pytest.raises(socket.gaierror):
        socket.create_connection(("no.such.host.invalid", 80))

def test_good_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()

def test_good_settings():
    assert load_settings().host == "127.0.0.1"
    open("litter", "w").close()
""")
    (tmp_path / ".env").write_text("PORT=1111\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PORT": "2222"},
        capture_output=True,
        text=True,
    )
    outcomes = re.findall(r"::test_(good|bad)_(\w+) (PASSED|FAILED|ERROR)", result.stdout)
    assert len(outcomes) == 8, result.stdout + result.stderr
    for kind, name, outcome in outcomes:
        assert outcome == {"good": "PASSED", "bad": "FAILED"}[kind], name
    assert not (tmp_path / "litter").exists()
