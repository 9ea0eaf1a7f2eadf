"""The native engine: an encoder with 8-bit linear maps in C++, compiled on the machine that runs it."""
