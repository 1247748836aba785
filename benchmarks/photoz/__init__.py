"""Photometric redshifts of magnitudes beside the field's own tools: ``python -m benchmarks.photoz``."""
