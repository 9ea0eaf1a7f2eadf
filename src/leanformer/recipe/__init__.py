"""Recipes: how they are written, run and cached, and the ladder that they produce."""
