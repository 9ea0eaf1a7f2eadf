"""Structured pruning: the importance and cost of heads and units, and the choice of which to remove."""
