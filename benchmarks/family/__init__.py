"""Models of several sizes from one training, and how well their time is predicted."""
