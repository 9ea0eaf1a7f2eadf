"""Feed-forward blocks: one file for each kind."""
