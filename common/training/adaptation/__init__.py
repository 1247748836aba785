"""A trained model taken to another survey."""
