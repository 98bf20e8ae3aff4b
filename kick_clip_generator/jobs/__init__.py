"""Jobs: the `job` row is the truth, a message only wakes workers up, and whoever dies loses nothing that was kept."""
