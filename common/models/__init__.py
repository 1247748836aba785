"""A trained model, the store that keeps it and the folder that it travels in."""
