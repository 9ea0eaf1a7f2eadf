"""Self-attention: one file per kind, plus what they share."""
