"""Other projects' data sets to the SDSS-GS layout, and back: ``python -m sdss_gs import`` and ``export``."""
