"""Run one benchmark: `python -m bench NAME [args] [--json FILE]`.

A benchmark is a file of this folder with `main(argv) -> int | None`. It parses its own flags (`--json FILE` writes its
figures for programs) and prints its table. The libraries' thread pools are set to one thread before any of them loads,
as the product does, because the figures are CPU seconds.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def benchmarks() -> dict[str, str]:
    """Names and first docstring lines of the benchmarks in this folder; none of them is imported."""
    found = {}
    for file in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body) and file != Path(
            __file__
        ):
            found[file.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main(argv: list[str]) -> int:
    """Run the benchmark that `argv[0]` names with the rest of `argv`; its exit code, or 2 for an unknown name."""
    known = benchmarks()
    if not argv or argv[0] not in known:
        sys.stderr.write(f"usage: python -m bench NAME [args] [--json FILE]\n{_listing(known)}")
        return 2
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    return importlib.import_module(f"bench.{argv[0]}").main(argv[1:]) or 0


def _listing(known: dict[str, str]) -> str:
    return "".join(f"  {name:12} {line}\n" for name, line in known.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
