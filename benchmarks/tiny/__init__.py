"""Small models on n-grams, beside the floor and a frozen encoder."""
