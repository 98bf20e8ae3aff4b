"""`main.py doctor`: what works on this machine, what does not, and the fix."""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kick_clip_generator.cli.source_arguments import add_source_arguments, with_source_arguments
from kick_clip_generator.core.errors import ClipGeneratorError, InputError
from kick_clip_generator.core.settings import GUI_PORT, Settings

NAME = "doctor"
HELP = "check this machine (Python, ffmpeg, disk, network, GPU, extras), or one link"

ROOT = Path(__file__).resolve().parents[2]
PLATFORM_URL = "https://kick.com/"
NETWORK_TIMEOUT_S = 4.0
PROGRAM_TIMEOUT_S = 10.0
# Twenty exact clips of a minute at 1080p60 and the media of the windows being read.
ROOMY_BYTES = 3 * 2**30

# Packages outside requirements.txt: distribution, module, what it is good for, whether this version uses it.
EXTRAS = (
    ("librosa", "librosa", "the reference that the tests compare audio features with", True),
    ("pytest", "pytest", "the tests; ./run.sh test installs it", True),
    ("faster-whisper", "faster_whisper", "what is said: speech to text", False),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        what: the thing looked at.
        state: "warn" leaves the main job possible, "fail" does not.
        finding: what was seen.
        fix: what to do about it; empty when there is nothing to do.
    """

    what: str
    state: Literal["ok", "warn", "fail"]
    finding: str
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the findings to FILE (-: to the terminal)"
    )
    parser.add_argument("--no-network", action="store_true", help=f"do not try to reach {PLATFORM_URL}")

    parser.add_argument(
        "--url",
        metavar="LINK",
        help="look at this link alone: who resolves it, its qualities, whether they can be read",
    )
    add_source_arguments(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    if args.url is not None:
        from kick_clip_generator.cli.link_check import check_link

        checks = [Check(*finding) for finding in check_link(args.url, with_source_arguments(args, settings))]
    else:
        checks = list(examine(settings, platform_url=None if args.no_network else PLATFORM_URL))
    to_terminal = args.json == Path("-")
    if not to_terminal:
        for check in checks:
            if check.state != "ok" or not args.quiet:
                print(
                    f"{check.state:5s} {check.what:16s} {check.finding}"
                    + (f"\n{'':22s} fix: {check.fix}" if check.fix else "")
                )
    failed = sum(check.state == "fail" for check in checks)
    if args.json is not None:
        text = json.dumps({"failed": failed, "checks": [asdict(check) for check in checks]}, indent=2) + "\n"
        if to_terminal:
            sys.stdout.write(text)
        else:
            _write(args.json, text)
    return 1 if failed else 0


def examine(settings: Settings, *, platform_url: str | None = PLATFORM_URL) -> Iterator[Check]:
    """All checks, one after the other. A check that breaks is a failed one, and the next ones follow.

    Args:
        platform_url: what to reach for; None leaves the network alone.
    """
    groups: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("Python", check_python),
        ("packages", check_packages),
        ("settings", lambda: check_settings(settings, sheet=ROOT / "config.py", env=Path(".env"))),
        ("ffmpeg", lambda: check_ffmpeg(settings)),
        ("PyAV", check_pyav),
        ("folders", lambda: check_folders(settings)),
        ("database", lambda: check_database(settings)),
        ("network", lambda: check_network(platform_url) if platform_url is not None else iter(())),
        ("port", lambda: check_port(settings)),
        ("GPU", check_gpu),
        ("hardware decoding", lambda: check_hardware(settings)),
        ("platforms", check_platforms),
        ("extras", check_extras),
    )
    for what, group in groups:
        try:
            yield from group()
        except ClipGeneratorError as error:
            yield Check(what, "fail", str(error))
        except Exception as error:  # a broken install can break anywhere, and that is what a doctor is called for
            fix = "install the packages of requirements.txt again (./run.sh does when .venv is deleted)"
            yield Check(what, "fail", f"{type(error).__name__}: {error}", fix)


def check_python() -> Iterator[Check]:
    finding = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield Check("Python", "ok", finding)
    else:
        yield Check("Python", "fail", finding, "use Python 3.11, 3.12 or 3.13")


def check_packages() -> Iterator[Check]:
    """The installed versions against the pins that hold on every platform."""
    requirements = ROOT / "requirements.txt"
    pins = [line.split("==") for line in requirements.read_text().splitlines() if "==" in line and ";" not in line]
    wrong = [name for name, version in pins if _version(name) != version.strip()]
    if not wrong:
        yield Check("packages", "ok", f"{len(pins)} as pinned")
        return
    missing = [name for name in wrong if _version(name) is None]
    finding = f"{len(missing)} missing, {len(wrong) - len(missing)} of another version: {', '.join(wrong[:5])}"
    yield Check("packages", "fail" if missing else "warn", finding, _pip(f"-r {requirements}"))


def check_settings(settings: Settings, *, sheet: Path, env: Path) -> Iterator[Check]:
    """Values were checked before any command runs; what is left are names that nothing reads."""
    changed = [name.upper() for name, value in settings if value != Settings.model_fields[name].default]
    yield Check("settings", "ok", f"valid; changed: {', '.join(changed) or 'none'}")
    known = [name.upper() for name in Settings.model_fields]
    for path in (sheet, env):
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            name = line.removeprefix("export ").partition("=")[0].strip() if "=" in line else ""
            # Other programs' names may lie in .env too, so only near misses are worth a word.
            if name.isidentifier() and name.isupper() and name not in known:
                for near in difflib.get_close_matches(name, known, n=1, cutoff=0.8):
                    yield Check("settings", "warn", f"{path.name} sets {name}, which nothing reads", f"write {near}")


def check_ffmpeg(settings: Settings) -> Iterator[Check]:
    from kick_clip_generator.media.ffmpeg import ffmpeg_path

    ffmpeg = ffmpeg_path(settings.ffmpeg_path)
    version = _output_of(ffmpeg, "-version").partition(" Copyright")[0].removeprefix("ffmpeg version ")
    which = "bundled" if settings.ffmpeg_path is None else str(settings.ffmpeg_path)
    fix = "unset FFMPEG_PATH to use the bundled one" if settings.ffmpeg_path is not None else _pip("imageio-ffmpeg")
    if not version:
        yield Check("ffmpeg", "fail", f"{ffmpeg} does not run", fix)
        return
    encoders = _output_of(ffmpeg, "-encoders").split()
    missing = [name for name in ("libx264", "aac") if name not in encoders]
    if missing:
        yield Check("ffmpeg", "fail", f"{version} ({which}) has no encoder {' and '.join(missing)}", fix)
    else:
        yield Check("ffmpeg", "ok", f"{version} ({which})")
    yield Check("ffmpeg hwaccels", "ok", " ".join(_output_of(ffmpeg, "-hwaccels").split()[3:]) or "none")


def check_pyav() -> Iterator[Check]:
    import kick_clip_generator.media.probe  # noqa: F401  # loads PyAV's libraries, which is what may fail

    yield Check("PyAV", "ok", _version("av") or "unknown version")


def check_folders(settings: Settings) -> Iterator[Check]:
    """Whether files can be written where they go, and how much room is left; makes no folder."""
    from kick_clip_generator.library.files import check_writable

    for setting in ("clips_dir", "temp_dir", "model_dir"):
        folder: Path = getattr(settings, setting).absolute()
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        what = setting.removesuffix("_dir") + " folder"
        try:
            check_writable(there)
        except ClipGeneratorError as error:
            yield Check(what, "fail", str(error))
            continue
        free = shutil.disk_usage(there).free
        finding = f"{folder} ({free / 2**30:.1f} GB free)"
        if free < ROOMY_BYTES:
            yield Check(what, "warn", finding, f"free some space: a long stream may need {ROOMY_BYTES / 2**30:.0f} GB")
        else:
            yield Check(what, "ok", finding)


def check_database(settings: Settings) -> Iterator[Check]:
    from kick_clip_generator.library.library import Library

    if settings.database_url:
        with Library.open(settings.database_url) as library:
            yield Check("database", "ok", f"{library.name} answers")
        return
    path = settings.database_path
    if not path.exists():
        yield Check("database", "ok", f"{path} will be made on the first run")
        return
    with Library.open(path):
        yield Check("database", "ok", f"{path} opens ({path.stat().st_size / 2**20:.1f} MB)")


def check_network(url: str) -> Iterator[Check]:
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "kick-clip-generator doctor"})
    fix = "check the connection, the proxy (HTTPS_PROXY) and the clock; files on this machine work without"
    try:
        with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S):
            yield Check("network", "ok", f"{url} answers")
    except urllib.error.HTTPError as error:
        # It answered; platforms refuse programs at their front page.
        yield Check("network", "ok", f"{url} answers ({error.code})")
        error.close()
    except OSError as error:
        reason = getattr(error, "reason", error)
        yield Check("network", "warn", f"{url} can't be reached: {reason}", fix)


def check_port(settings: Settings) -> Iterator[Check]:
    """Whether the web UI can listen; when it can't, it may be running already."""
    port = settings.port or GUI_PORT
    where = f"{settings.host}:{port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            # As servers do: a connection that was just closed does not keep the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, port))
            probe.listen(1)
        except OSError as error:
            fix = "the web UI may be running already; else set PORT (or HOST) to another value"
            yield Check("port", "warn", f"{where} can't be used: {error.strerror or error}", fix)
            return
    yield Check("port", "ok", f"{where} is free")


def check_gpu() -> Iterator[Check]:
    program = shutil.which("nvidia-smi")
    names = _output_of(program, "--query-gpu=name,memory.total", "--format=csv,noheader") if program else ""
    yield Check("GPU", "ok", "; ".join(names.splitlines()) or "none found; none is needed")


def check_hardware(settings: Settings) -> Iterator[Check]:
    """Which accelerators decode the right pictures here, and whether they beat software; keeps nothing."""
    from kick_clip_generator.media.ffmpeg import ffmpeg_path
    from kick_clip_generator.media.hardware import choose, trials

    ffmpeg = str(ffmpeg_path(settings.ffmpeg_path))
    what = "hardware decoding"
    found = trials(ffmpeg, None) if settings.hwaccel != "none" else []
    for trial in found:
        cost = f"{trial.cpu_share:.2f} x the CPU and {trial.wall_share:.2f} x the time of software"
        yield Check(what, "ok", f"{trial.name}: {trial.problem or cost}")
    name, note = choose(settings.hwaccel, found)
    if note:
        yield Check(what, "warn", note, "set HWACCEL to auto, or mend the driver")
    else:
        yield Check(what, "ok", f"{name or 'none'} is used for pictures from 720p up")


def check_platforms() -> Iterator[Check]:
    """The tools that read pages of Kick, Twitch and YouTube."""
    from kick_clip_generator.cli.link_check import check_tools

    for finding in check_tools():
        yield Check(*finding)


def check_extras() -> Iterator[Check]:
    for distribution, module, purpose, used in EXTRAS:
        what = distribution
        if importlib.util.find_spec(module) is not None:
            yield Check(what, "ok", f"{_version(distribution) or 'installed'}: {purpose}")
        elif used:
            yield Check(what, "ok", f"not installed; optional: {purpose}", _pip(distribution))
        else:
            yield Check(what, "ok", f"not installed; not used yet, planned for: {purpose}")


def _output_of(program: str, *args: str) -> str:
    """What a program prints; empty when it fails, hangs or can't be started."""
    from kick_clip_generator.media.ffmpeg import kill, spawn

    process = None
    try:
        process = spawn([program, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        output, _ = process.communicate(timeout=PROGRAM_TIMEOUT_S)
    except (ClipGeneratorError, subprocess.TimeoutExpired):
        return ""
    finally:
        if process is not None:
            kill(process)
    return output.decode("utf-8", "replace").strip() if process.returncode == 0 else ""


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pip(what: str) -> str:
    """The command that installs into this environment; one that uv made has no pip of its own."""
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install --python {sys.executable} {what}"
    return f"{sys.executable} -m pip install {what}"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another file.") from error
