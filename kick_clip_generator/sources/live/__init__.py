"""Streams that are still running."""
