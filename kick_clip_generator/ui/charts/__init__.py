"""Pages that show how highlights were found: single files that need no server and no network."""
