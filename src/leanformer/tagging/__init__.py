"""Tagging words: schemes of tags, words of a text, their first pieces, and the most probable legal tags."""
