"""Jobs: the `job` row is the truth. For now they run inline, in the process that asked."""
