"""Other projects' data sets to the SDSS-GS layout, and back: ``zoo data import`` and ``export``."""

FORMATS = ("parquet", "hats", "webdataset")
"""What a data set can be exported as."""
