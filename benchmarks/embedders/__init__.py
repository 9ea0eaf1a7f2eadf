"""Embedders and their students: correlation with scores of pairs, and what they find."""
