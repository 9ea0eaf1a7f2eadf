"""Students that read n-grams: linear, or with one small layer."""
