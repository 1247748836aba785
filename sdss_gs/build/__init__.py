"""Data sets of any selection of SDSS objects, fetched from the survey's servers.

astroquery (0.4.11, ``astroquery.sdss``) was looked at first and is not used. It knows the addresses of queries, frames
and spectra, which `addresses` shares with it. It returns an HTML error page as a table (its issue 3369), sends a request
once, without limits or a second try, begins cut downloads again, fetches a frame for each object on it, makes no cut-outs
and no colour pictures, and keeps its addresses in global settings. It also brings pyvo, keyring and two HTML parsers.
"""
