"""Recipes: how they are written, run, cached, and what ladder they end in."""
