"""The database of sources, clips and ratings, and the file store."""
