"""The rows that a training loop processes, their order, and their collation into batches."""
