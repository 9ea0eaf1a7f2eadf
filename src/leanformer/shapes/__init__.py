"""Model configurations as plain data, and the number of operations of each part."""
