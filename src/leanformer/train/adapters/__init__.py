"""Small sets of parameters that are trained in place of the whole model."""
