"""Small sets of parameters that are trained instead of the whole model."""
