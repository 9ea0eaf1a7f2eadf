"""Where commands write: what there is ours, and how it is replaced with nothing of anybody else's lost."""
