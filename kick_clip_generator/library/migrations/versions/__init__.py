"""One step a file, oldest number first."""
