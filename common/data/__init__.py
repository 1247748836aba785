"""What is learnt from and predicted: training data, and the user's own files."""
