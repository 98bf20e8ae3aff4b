"""Kick, Twitch and YouTube: links in, addresses of media out."""
