"""Data sets of any selection of SDSS objects, fetched from the survey's servers.

astroquery (0.4.11, ``astroquery.sdss``) was looked at first and is not used. It knows the addresses of queries, frames
and spectra, on which `addresses` agrees with it. But it returns an HTML error page as a table (its issue 3369), sends a
request once, without limit of rate, begins cut downloads again, makes no cut-outs and fetches no colour pictures, and
keeps its addresses in global settings. It would bring pyvo, keyring and two HTML parsers.
"""

PICTURES = ("skyserver", "ps1", "frames")
"""Where colour pictures come from: two servers, or frames of the user's own."""
