"""What is carried away and brought in: runs and experiments as one file, trajectories as training data."""
