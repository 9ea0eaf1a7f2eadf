"""The training loop and its inputs: objectives, batches, precision (needs torch)."""
