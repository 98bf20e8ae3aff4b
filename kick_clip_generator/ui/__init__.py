"""The web page, one tab a file."""
