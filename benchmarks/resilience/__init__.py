"""Killed runs, the demo, and the commands that the documentation shows."""
