"""Words between spaces: whether a tokenizer processes each separately, and a cache of their ids."""
