"""The space of a search: recipes with holes, goals, and the early stopping of trials."""
