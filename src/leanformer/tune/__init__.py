"""The race for the fastest settings of the runtime on this machine."""
