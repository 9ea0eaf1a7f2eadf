"""What a search does with a trial: jobs, who runs them, how their models are timed and delivered."""
