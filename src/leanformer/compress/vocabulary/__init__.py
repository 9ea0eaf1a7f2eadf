"""Smaller vocabularies: pieces that are dropped, kept or learnt, and the embeddings that go with them."""
