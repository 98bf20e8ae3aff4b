"""Naming clips and writing what belongs beside them."""
