"""Spans of a context as answers to a question: windows of tokens, and the best spans by their logits."""
