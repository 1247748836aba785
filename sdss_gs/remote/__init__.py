"""Files and answers of servers, fetched politely: limited in rate and number, tried again, resumed and verified.

Libraries were looked at first. pooch and ``astropy.utils.data.download_file`` begin a cut download again from zero;
parfive has checksums and many files at a time and does not continue a part; pypdl continues one and knows neither
``Retry-After`` nor a rate shared by its downloads; aria2 does most of this and is a program to install apart. Here
requests and urllib3 (which MLflow brings) do the work, and this package adds the part on disk.
"""

from sdss_gs.remote.client import Client
from sdss_gs.remote.fetch import fetch

__all__ = ["Client", "fetch"]
