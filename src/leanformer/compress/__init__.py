"""Torch to torch: techniques that make a model smaller (they need torch when run)."""
