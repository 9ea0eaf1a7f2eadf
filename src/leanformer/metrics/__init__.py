"""Pure functions of predictions and labels, shared by training and measuring."""
