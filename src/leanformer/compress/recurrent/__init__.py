"""Distillation into a recurrent student: its start, its stages and strategies, its objective."""
