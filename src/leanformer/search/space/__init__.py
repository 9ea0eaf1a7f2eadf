"""What a search may choose from: recipes with holes, goals, and the early stopping of trials."""
