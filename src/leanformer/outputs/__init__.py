"""Where commands write: which existing files are ours, and how they are replaced without losing files of others."""
