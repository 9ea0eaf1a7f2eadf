"""Recurrent students of taggers and text classifiers, after XtremeDistil (Mukherjee and Awadallah 2020)."""
