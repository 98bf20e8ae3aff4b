"""Makes `.venv` what the requirements ask for, then hands over to `main.py`, or to pytest for `test`.

`run.sh` and `run.bat` start it with any Python they find. It needs nothing but the standard library, and takes about
30 ms when there is nothing to install.

`.venv/.installed` says what was installed, and is written last: a venv without it is rubble of an interrupted run and
is built anew. What keeps two at once apart is a lock on an open file, which dies with the processes that hold it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ((3, 11), (3, 13))
WINDOWS = os.name == "nt"


class SetupError(Exception):
    """One sentence: what failed and what to do."""


class Venv:
    """The virtual environment in `folder`, holding what `folder/../requirements*.txt` pin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if WINDOWS else "bin/python")
        self._stamp = folder / ".installed"
        # Not ".lock": uv locks a file of that name there, and would wait for us while we wait for it.
        self._lock = folder / ".setup-lock"

    def requirements(self, *, test: bool) -> Path:
        return self.folder.parent / ("requirements-test.txt" if test else "requirements.txt")

    def wanted(self, *, test: bool) -> str:
        """What the stamp says when this Python has installed these requirements."""
        # A checksum against forgetting, not against an attacker; importing hashlib would take 5 ms.
        checksum = zlib.crc32(self.requirements(test=test).read_bytes())
        return f"{sys.implementation.cache_tag} {self.requirements(test=test).name} {checksum:08x}"

    def is_current(self, *, test: bool) -> bool:
        """Whether what is asked for is installed, for the Python that runs this."""
        return self.wanted(test=test) in self._stamped() and self.python.exists()

    def ensure(self, *, test: bool, environment: Mapping[str, str]) -> None:
        """Install what is missing.

        Raises:
            SetupError: when it can't be done.
        """
        if self.is_current(test=test):
            return
        try:
            self.folder.mkdir(exist_ok=True)
            with _locked(self._lock) as lock:
                # Another run may have finished the work while this one waited for the lock.
                if not self.is_current(test=test):
                    self._install(test=test, environment=environment, lock=lock)
        except OSError as error:
            raise SetupError(f"{self.folder} could not be set up: {error}; free the disk or fix its rights.") from error

    def _install(self, *, test: bool, environment: Mapping[str, str], lock: int) -> None:
        import shutil

        _say(f"Setting up {self.folder} with Python {_version()} (once; a minute or a few) ...")
        # pip and uv leave the byte code out when told so; then the first --help would have to compile everything.
        environment = {key: value for key, value in environment.items() if key != "PYTHONDONTWRITEBYTECODE"}
        uv = shutil.which("uv", path=environment.get("PATH"))
        if not self._is_sound():
            self._clear()
            self._create(with_pip=uv is None)
        self._stamp.unlink(missing_ok=True)
        requirements = str(self.requirements(test=test))
        if uv is not None:
            command = [uv, "pip", "install", "--compile-bytecode", "--python", str(self.python), "-r", requirements]
            if _run(command, environment, lock) == 0:
                self._write_stamp(test=test)
                return
            _say("uv could not install it; trying pip ...")
        find_pip = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"
        if _run([str(self.python), "-I", "-c", find_pip], environment, lock) != 0:
            self._clear()
            self._create(with_pip=True)
        command = [str(self.python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if _run([*command, "--no-input", "-r", requirements], environment, lock) != 0:
            raise SetupError("The packages could not be installed; the lines above say why. The next run tries again.")
        self._write_stamp(test=test)

    def _is_sound(self) -> bool:
        """Whether it was finished once, for the Python that runs this, so that updating its packages will do."""
        tag = f"{sys.implementation.cache_tag} "
        return any(line.startswith(tag) for line in self._stamped()) and self.python.exists()

    def _stamped(self) -> list[str]:
        with suppress(FileNotFoundError):
            return self._stamp.read_text(encoding="utf-8").splitlines()
        return []

    def _clear(self) -> None:
        import shutil

        for entry in self.folder.iterdir():
            if entry == self._lock:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _create(self, *, with_pip: bool) -> None:
        import venv

        try:
            import ensurepip  # noqa: F401  # Debian keeps it in another package
        except ImportError:
            if with_pip:
                raise SetupError(
                    f"Python {_version()} can't make a virtual environment: install its venv package "
                    f"(Debian, Ubuntu: apt install python3-venv) or uv."
                ) from None
        try:
            venv.create(self.folder, symlinks=not WINDOWS, with_pip=with_pip)
        except subprocess.CalledProcessError as error:
            raise SetupError(
                f"pip could not be put into {self.folder}: {error}; install uv or repair Python."
            ) from error

    def _write_stamp(self, *, test: bool) -> None:
        # The test pins contain the core pins, so either command finds its own line.
        lines = {self.wanted(test=False), self.wanted(test=test)}
        part = self._stamp.with_suffix(".part")
        part.write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")
        part.replace(self._stamp)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock that the system releases when this process ends, however it ends."""
    with path.open("a+b") as file:
        if WINDOWS:
            import msvcrt
            import time

            file.seek(0)
            waiting = False
            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
                    break
                except OSError:
                    if not waiting:
                        _say("Waiting for another run that is setting up ...")
                    waiting = True
                    time.sleep(0.5)
            yield file.fileno()
        else:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _say("Waiting for another run that is setting up ...")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file.fileno()


def _run(command: Sequence[str], environment: Mapping[str, str], lock: int) -> int:
    # The child holds the lock too: it may outlive a launcher that was killed. stdout belongs to the user's command.
    pass_fds = () if WINDOWS else (lock,)
    return subprocess.run(command, env=dict(environment), stdout=sys.stderr, pass_fds=pass_fds).returncode


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def _version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _hand_over(command: list[str], environment: Mapping[str, str]) -> int:
    """Become `command`; where the system can't do that (Windows), wait for it."""
    if not WINDOWS:
        os.execve(command[0], command, dict(environment))
    import signal

    # Ctrl-C reaches both; the child decides when it is done.
    signal.signal(signal.SIGINT, lambda *_: None)
    return subprocess.run(command, env=dict(environment)).returncode


def main(arguments: list[str]) -> int:
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        _say(f"Python 3.11, 3.12 or 3.13 is needed, this is {_version()}.")
        return 2
    environment = dict(os.environ)
    test = arguments[:1] == ["test"]
    venv = Venv(ROOT / ".venv")
    try:
        venv.ensure(test=test, environment=environment)
    except SetupError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        _say("Stopped; the next run starts the set-up again.")
        return 130
    if test:
        os.chdir(ROOT)
        return _hand_over([str(venv.python), "-m", "pytest", *arguments[1:]], environment)
    return _hand_over([str(venv.python), str(ROOT / "main.py"), *(arguments or ["--gui"])], environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
