"""Synthetic galaxies in the layout of the real data set, so that everything runs without a download."""

from sdss_gs.sample.write import SAMPLE_VERSION, write_sample

__all__ = ["SAMPLE_VERSION", "write_sample"]
