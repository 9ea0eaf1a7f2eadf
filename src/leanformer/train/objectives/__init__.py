"""What a training loop minimises."""
