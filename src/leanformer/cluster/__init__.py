"""Running on several machines with Ray: bulk scoring with exactly one answer per input, and trials of a search."""
