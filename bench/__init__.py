"""Benchmarks, run by hand: `python -m bench NAME [args] [--json FILE]`; see `python -m bench`."""
