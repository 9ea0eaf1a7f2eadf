"""The runtime: speed beside other engines, memory, start-up, and whether answers stay the same."""
