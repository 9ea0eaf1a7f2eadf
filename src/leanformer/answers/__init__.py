"""Answer forms: what a model's outputs mean, how their quality is measured, and what their labels look like."""
