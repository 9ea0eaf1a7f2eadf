"""Training: what each way of making a teacher gives, and what it takes."""
