"""Which rows a training loop sees, in which order, and how they become batches."""
