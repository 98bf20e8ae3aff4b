"""What a URL or path is, and how its bytes are read."""
