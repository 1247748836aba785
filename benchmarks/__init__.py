"""Measurements of the zoo, side by side with the naive way: ``python -m benchmarks`` (or ``make bench``)."""
