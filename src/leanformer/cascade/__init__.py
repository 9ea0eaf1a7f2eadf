"""Small model first, larger ones for texts it is unsure of, with a bound on the loss."""
