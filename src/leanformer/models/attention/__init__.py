"""Parts of self-attention."""
