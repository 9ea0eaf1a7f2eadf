"""Teachers and the models made of them: their ladders of speed and quality, students, cost and energy."""
