"""The generated sample task and its grammar."""
