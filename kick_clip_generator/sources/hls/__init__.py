"""HLS: playlists, segments, and what to do when they fail."""
