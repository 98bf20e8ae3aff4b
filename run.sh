#!/bin/sh
# ./run.sh ARGS         set up what is missing, then: python main.py ARGS (no ARGS: the web page)
# ./run.sh test ARGS    set up what the tests need, then: pytest ARGS
# PYTHON=/path/to/python3.12 ./run.sh ...   with a Python of your choice
# Paths in ARGS, and the folders that the program makes, belong to the folder you are in.
set -eu

script=$0
while [ -h "$script" ]; do
    target=$(readlink "$script")
    case $target in
        /*) script=$target ;;
        *) script=$(dirname "$script")/$target ;;
    esac
done
root=$(CDPATH='' cd -- "$(dirname -- "$script")" && pwd -P)

supported() {
    "$1" -I -S -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    if ! supported "$PYTHON"; then
        echo "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13." >&2
        exit 2
    fi
    exec "$PYTHON" -I -S "$root/tools/launch.py" "$@"
fi
# What is set up already comes first; where its Python has gone, it is set up anew.
for python in "$root/.venv/bin/python" python3.13 python3.12 python3.11 python3 python; do
    if command -v "$python" >/dev/null && supported "$python"; then
        exec "$python" -I -S "$root/tools/launch.py" "$@"
    fi
done
echo "No Python 3.11, 3.12 or 3.13 was found: install one from https://www.python.org/downloads/ or set PYTHON to its path." >&2
exit 2
