"""The same model in other people's runtimes."""
