"""Linear models on n-grams: the floor that a Transformer has to beat. Run with numpy, trained with scikit-learn."""
