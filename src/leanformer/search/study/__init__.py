"""A search as the sum of its journal: trials, sampler, budget, and the driver of them all."""
