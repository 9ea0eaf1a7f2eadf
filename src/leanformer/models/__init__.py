"""The Transformer encoder, its heads, and the checkpoints they come from (needs torch)."""
