"""Use cases: what the command line, the web UI and the Python API ask for."""
