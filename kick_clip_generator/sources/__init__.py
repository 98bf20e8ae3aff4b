"""From what a user pasted to bytes of media: resolving, fetching and reading streams that strangers serve."""
