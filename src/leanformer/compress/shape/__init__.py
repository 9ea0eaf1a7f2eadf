"""Other parts in the place of those that a model has."""
