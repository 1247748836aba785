"""Models on another survey: before, diagnosed, adapted, and trained from nothing: ``python -m benchmarks.surveys``."""
