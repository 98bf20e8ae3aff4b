"""Pins `pyproject.toml` into `requirements.txt` and `requirements-test.txt`, for every supported Python and platform.

    .venv/bin/python tools/compile_requirements.py             keep the pins that still fit
    .venv/bin/python tools/compile_requirements.py --upgrade   take the newest of everything
    .venv/bin/python tools/compile_requirements.py --check     fail when a file is not what pyproject.toml asks for

Uses uv, which `./run.sh test` installs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Compiled from pyproject.toml by tools/compile_requirements.py; change it there.\n"
OLDEST_PYTHON = "3.11"


def compiled(pins: Path, *options: str) -> str:
    """The pins of `pyproject.toml`; those in `pins` are kept where they fit.

    Raises:
        subprocess.CalledProcessError: when uv finds no solution.
    """
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv is None:
        raise FileNotFoundError("uv is not installed: run ./run.sh test once, or pip install uv")
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON]
    # Networks that open TLS have their certificate in the system's store, not in uv's.
    command += ["--system-certs"]
    # No trace of the machine it ran on: neither command line, nor index, nor folder of wheels.
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    command += [*options, "--output-file", str(pins), str(ROOT / "pyproject.toml")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    lines = [line for line in pins.read_text().splitlines(keepends=True) if not line.startswith("#")]
    return HEADER + "".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--upgrade", action="store_true")
    options = parser.parse_args()
    upgrade = ["--upgrade"] if options.upgrade else []
    stale = []
    with tempfile.TemporaryDirectory() as folder:
        core = Path(folder, "requirements.txt")
        test = Path(folder, "requirements-test.txt")
        # What the tests run on is what users run: the core pins bind the test pins.
        for pins, extra in ((core, []), (test, ["--extra", "test", "--constraint", str(core)])):
            target = ROOT / pins.name
            if target.exists():
                shutil.copyfile(target, pins)
            text = compiled(pins, *extra, *upgrade)
            if target.exists() and target.read_text() == text:
                continue
            stale.append(pins.name)
            if not options.check:
                target.write_text(text, newline="\n")
    if options.check and stale:
        print(
            f"not what pyproject.toml asks for: {', '.join(stale)}; run tools/compile_requirements.py", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(f"The pins could not be compiled: {error}")
