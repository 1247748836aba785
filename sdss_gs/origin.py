"""What data are that are not of the sky: words that models keep of what they learnt from."""

SAMPLE, TEMPLATES = "sample", "templates"
"""Synthetic galaxies; spectra made of the survey's own templates."""
