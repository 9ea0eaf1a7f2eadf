"""Configurations of models as plain data, and the operations that each part of one costs."""
