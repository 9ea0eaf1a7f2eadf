"""The engines that run an exported graph, behind a common protocol."""
