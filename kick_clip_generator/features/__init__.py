"""Signals of sound and picture on the half-second grid."""
