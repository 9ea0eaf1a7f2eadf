"""Hooks called at the events of a training loop."""
