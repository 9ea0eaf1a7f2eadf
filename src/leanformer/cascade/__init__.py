"""Small model first, larger ones for what it is unsure of, with a bound on what that may lose."""
