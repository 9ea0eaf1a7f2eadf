"""What a search does with a trial: jobs, their executors, and the timing and delivery of their models."""
