"""Searches against fixed recipes, successive halving replayed, and a search on Ray."""
