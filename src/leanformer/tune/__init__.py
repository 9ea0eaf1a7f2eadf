"""The race for the fastest runtime settings on this machine."""
