"""Requests: patient, guarded, and counted."""
