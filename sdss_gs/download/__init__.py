"""The SDSS Galaxy Subset from its archive at Zenodo: found, fetched, unpacked, put in place."""

from .command import download

__all__ = ["download"]
