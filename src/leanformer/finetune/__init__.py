"""Fine-tuning of an encoder for a task, or training that precedes it."""
