"""A search as the sum of its journal: trials, sampler, budget, and the loop that drives them."""
