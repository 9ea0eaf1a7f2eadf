"""What people read, written from results/: tables and pictures of README and docs."""
