"""Words between spaces: whether a tokenizer reads each by itself, and their ids, remembered."""
