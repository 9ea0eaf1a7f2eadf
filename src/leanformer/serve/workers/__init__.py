"""The processes that run the models, and the scheduling of their work."""
