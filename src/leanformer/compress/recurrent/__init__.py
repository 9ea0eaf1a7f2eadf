"""Distillation into a recurrent student: its initialisation, its stages and strategies, its objective."""
