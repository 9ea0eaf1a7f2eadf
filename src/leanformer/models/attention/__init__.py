"""Self-attention: one file for each kind, and what several kinds use."""
