"""Weights and activations in few bits, simulated: what a file gives back, with the exact size of what it holds."""
