"""Training of an encoder for a task, or for what comes before a task."""
