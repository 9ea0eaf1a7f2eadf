"""Active learning: which rows of an unlabelled pool to label next."""
