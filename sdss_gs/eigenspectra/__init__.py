"""Spectra made of the survey's own eigenspectra, which the user has: training sets without a real spectrum."""

from sdss_gs.eigenspectra.write import write_spectra

__all__ = ["write_spectra"]
