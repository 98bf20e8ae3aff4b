"""REST routes, one resource a file."""
