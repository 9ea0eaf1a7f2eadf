"""Search: a recipe with holes, tried out within a budget until the best fillings are known."""
