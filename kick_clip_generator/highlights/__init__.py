"""Scores over time turned into moments worth a clip."""
