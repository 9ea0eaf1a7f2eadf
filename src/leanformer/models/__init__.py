"""The Transformer encoder, its heads, and the checkpoints they are read from (needs torch)."""
