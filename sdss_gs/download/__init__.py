"""The SDSS Galaxy Subset from its archive at Zenodo: found, fetched, unpacked, put in place."""

from sdss_gs.download.command import download

__all__ = ["download"]
