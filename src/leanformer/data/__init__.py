"""Data: examples, data sets with their splits, readers, and a generated sample. Import from the modules."""
