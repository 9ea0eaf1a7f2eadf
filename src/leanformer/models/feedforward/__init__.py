"""Feed-forward blocks: one file per kind."""
