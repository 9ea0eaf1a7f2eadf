"""A `tokenizer.json` that may come from anywhere, looked through before the library `tokenizers` gets it."""
