"""Several models measured side by side: what stands on the ladder, how it is measured, and which model is chosen."""
