"""The generated sample task and the grammar that writes it."""
