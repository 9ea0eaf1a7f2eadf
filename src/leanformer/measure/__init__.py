"""Measuring: quality, latency, memory, size, cost, and the machine it was measured on."""
