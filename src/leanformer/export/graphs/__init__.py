"""The graphs that an export writes, node by node."""
