"""Another survey: how it differs from the one a model learnt from, and what that does to the model."""
