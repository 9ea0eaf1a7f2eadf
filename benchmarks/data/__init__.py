"""What is found in data sets, and what cleaning them is good for."""
