"""Training objectives: the losses that a training loop minimises."""
