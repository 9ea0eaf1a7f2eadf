"""More than one machine, with Ray: bulk scoring with one answer per input, and trials of a search."""
