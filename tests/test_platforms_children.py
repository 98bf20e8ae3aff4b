"""Tools run in children that get little, are stopped in time, and leave nothing."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import Cancelled, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.platforms import children
from kick_clip_generator.sources.platforms.children import run_module, workplace


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `__main__.py` of a package that children can import."""
    packages = tmp_path / "packages"
    package = packages / "made_tool"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv("PYTHONPATH", str(packages))
    return package / "__main__.py"


def _ended(pid: int) -> bool:
    """Whether a process is gone, or dead and only waits for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# Starts a child of its own, says both process ids in a file, and hangs.
HANGS = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1] + ".part").write_text(f"{os.getpid()} {child.pid}")
os.replace(sys.argv[1] + ".part", sys.argv[1])
print("half an answer", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("how", ["cancelled", "too late"])
def test_a_tool_that_hangs_is_killed_with_its_children(tool: Path, tmp_path: Path, how: str) -> None:
    tool.write_text(HANGS)
    pids = tmp_path / "pids"
    cancel = CancelToken()
    settings = Settings(resolve_timeout=60 if how == "cancelled" else 1)

    def stop_when_it_runs() -> None:
        until = time.monotonic() + 30
        while not pids.exists() and time.monotonic() < until:
            time.sleep(0.02)
        cancel.cancel()

    if how == "cancelled":
        threading.Thread(target=stop_when_it_runs, daemon=True).start()
    with workplace() as (folder, _), pytest.raises((Cancelled, SourceError)) as caught:
        run_module("made_tool", [str(pids)], folder, settings, cancel)
    assert isinstance(caught.value, Cancelled) == (how == "cancelled")
    if isinstance(caught.value, SourceError):
        assert caught.value.outcome == "timeout" and "RESOLVE_TIMEOUT" in str(caught.value)
    started = [int(pid) for pid in pids.read_text().split()]
    until = time.monotonic() + 10
    while not all(map(_ended, started)) and time.monotonic() < until:
        time.sleep(0.02)
    assert all(map(_ended, started))
    assert not folder.exists()


def test_a_tool_gets_little_of_our_environment(tool: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool.write_text(
        "import json, os, sys; print(json.dumps([dict(os.environ), os.getcwd(), sys.stdin.read(), sys.argv]))"
    )
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("COOKIES_FILE", "s3cret")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:1")
    authority = tmp_path / "authority.pem"
    authority.touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with workplace() as (folder, jar):
        output = run_module("made_tool", ["--", "a b"], folder, Settings())
        env, cwd, stdin, argv = json.loads(output.stdout)
        assert Path(cwd) == folder.resolve() and stdin == "" and argv[1:] == ["--", "a b"]
        assert sorted(os.listdir(folder)) == [jar.name]
    assert "s3cret" not in json.dumps(env)
    assert env["https_proxy"] == "http://proxy.invalid:1" and env["PATH"] == os.environ["PATH"]
    # All tools trust the one authority that the user named.
    assert {env[name] for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")} == {str(authority)}


def test_nothing_in_the_folder_of_a_tool_is_imported(tool: Path) -> None:
    tool.write_text("import json; print(json.dumps({}))")
    with workplace() as (folder, _):
        (folder / "json.py").write_text("raise SystemExit('imported')")
        assert run_module("made_tool", [], folder, Settings()).stdout.strip() == b"{}"


def test_what_a_tool_says_is_bounded(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.write_text(
        "import sys; sys.stderr.write('x' * 300_000 + 'the end'); print('y' * int(sys.argv[1])); sys.exit(3)"
    )
    monkeypatch.setattr(children, "MAX_OUTPUT_BYTES", 100_000)
    with workplace() as (folder, _):
        output = run_module("made_tool", ["1000"], folder, Settings())
        assert output.code == 3 and len(output.stdout) == 1001
        assert output.stderr.endswith("the end") and len(output.stderr) == children.MAX_COMPLAINT_BYTES
        with pytest.raises(SourceError) as caught:
            run_module("made_tool", ["200000"], folder, Settings())
    assert caught.value.outcome == "too_large"


def test_a_tool_that_is_not_installed_is_named_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no-such-tool is not installed.* install -U .*no-such-tool"):
        run_module("no_such_tool", [], tmp_path, Settings())


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_cookies_lie_in_a_private_file_that_goes(tmp_path: Path) -> None:
    line = ".kick.com\tTRUE\t/\tTRUE\t0\tsession\ts3cret"
    with workplace([line]) as (folder, jar):
        assert line in jar.read_text() and jar.stat().st_mode & 0o077 == 0 and folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
