"""The kinds of input: what a model is asked, one file each."""
