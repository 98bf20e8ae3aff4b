"""Models that learn from star ratings."""
