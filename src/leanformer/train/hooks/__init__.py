"""What may act at the events of a training loop."""
