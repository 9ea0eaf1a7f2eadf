"""Several models compared: which rungs a ladder has, how they are measured, and which model is chosen."""
