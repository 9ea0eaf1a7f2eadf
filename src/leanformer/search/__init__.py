"""Search: a recipe with open values (holes), tried within a budget to find the best values."""
