"""Hugging Face checkpoints: one mapping file per family, and the reading and writing they share."""
