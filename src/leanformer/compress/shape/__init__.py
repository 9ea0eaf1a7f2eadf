"""Replacement of parts of a model by other kinds."""
