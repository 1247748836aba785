"""x2y beside the models with one input: ``python -m benchmarks.fusion``."""
