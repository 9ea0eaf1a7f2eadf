"""The processes that run the models, and how work gets to them."""
