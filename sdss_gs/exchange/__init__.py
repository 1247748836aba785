"""Other projects' data sets to the SDSS-GS layout, and back: ``python -m sdss_gs import`` and ``export``."""

FORMATS = ("parquet", "hats", "webdataset")
"""What a data set can be exported as."""
