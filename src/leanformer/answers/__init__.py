"""Forms of the answer: what a model's numbers stand for, how that is measured, and what labels of it look like."""
