"""Smaller vocabularies: tokens that are dropped, kept or learnt, and the matching embeddings."""
