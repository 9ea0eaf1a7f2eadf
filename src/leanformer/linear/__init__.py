"""Linear models on n-grams: the floor that a Transformer has to beat. Run by numpy, trained by scikit-learn."""
