"""The training loop and what is handed to it: objectives, batches, precision (needs torch)."""
