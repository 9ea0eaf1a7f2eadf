"""Structured pruning: what a head or a unit is worth, what it costs, and which of them go."""
