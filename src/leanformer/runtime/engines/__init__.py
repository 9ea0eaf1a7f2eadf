"""The engines that run an exported graph, behind one protocol."""
