"""Hugging Face checkpoints: one mapping file per family, and shared reading and writing."""
