"""The HTTP server: throughput, overhead, overload, killed workers and reloads."""
