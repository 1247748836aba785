"""Where the surveys serve what a data set is made of."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from sdss_gs.build.identity import RERUN, Fibre, Field
from sdss_gs.errors import OptionError
from sdss_gs.schema import INPUTS, PIXEL_SCALE

RELEASES = (16, 17, 18)
LAST_PLATES = 17
"""DR17 holds the last reduction of all plates and all imaging; DR18 serves the same files under other names."""
LEGACY_RUN2D = ("26", "103", "104")
"""Pipelines of the SDSS spectrograph: Legacy, special plates on star clusters, SEGUE-2."""
FIRST_BOSS_PLATE = 3510
BOSS_RUN2D = {16: "v5_13_0", 17: "v5_13_2"}
"""Pipeline of the BOSS spectrograph by release."""


@dataclass(frozen=True)
class Addresses:
    """The servers, and the paths of the things on them.

    Parameters
    ----------
    skyserver : str
        Catalogue and colour pictures.
    sas : str
        Science Archive Server: frames and spectra.
    ps1 : str
        Pan-STARRS1 image server.
    release : int
        Data release of the catalogue and pictures: 16, 17 or 18.
    """

    skyserver: str = "https://skyserver.sdss.org"
    sas: str = "https://data.sdss.org/sas"
    ps1: str = "https://ps1images.stsci.edu/cgi-bin"
    release: int = 17

    def __post_init__(self):
        if self.release not in RELEASES:
            raise OptionError(f"--release {self.release}: expected one of {', '.join(map(str, RELEASES))}")

    def query(self, sql: str) -> str:
        """Address of a query's answer as CSV."""
        return f"{self._skyserver}/SearchTools/SqlSearch?{urlencode({'cmd': sql, 'format': 'csv'})}"

    def picture(self, ra: float, dec: float) -> str:
        """Address of a colour picture of the zoo's field, degrees."""
        height, width, _ = INPUTS["img"].shape
        size = {"scale": PIXEL_SCALE, "width": width, "height": height}
        return f"{self._skyserver}/ImgCutout/getjpeg?{urlencode(_position(ra, dec) | size)}"

    def frame(self, field: Field, band: str) -> str:
        """Address of a calibrated frame (SDSS data model, frame)."""
        folder = f"eboss/photoObj/frames/{RERUN}/{field.run}/{field.camcol}"
        return f"{self._sas}/{folder}/{field.frame(band)}"

    def spectra(self, fibre: Fibre) -> list[str]:
        """Addresses at which a spectrum may be, the likeliest first; several where its pipeline is not known."""
        if fibre.run2d:
            versions = [fibre.run2d]
        elif fibre.plate < FIRST_BOSS_PLATE:
            versions = list(LEGACY_RUN2D)
        else:
            versions = [BOSS_RUN2D[self._files_release]]
        return [
            f"{self._sas}/{'sdss' if version in LEGACY_RUN2D else 'eboss'}/spectro/redux/{version}/spectra/lite/"
            f"{fibre.plate:04d}/{fibre.name}"
            for version in versions
        ]

    def ps1_names(self, ra: float, dec: float) -> str:
        """Address of the list of Pan-STARRS1 stacks (g, r, i) at a position."""
        return f"{self.ps1.rstrip('/')}/ps1filenames.py?{urlencode(_position(ra, dec) | {'filters': 'gri'})}"

    def ps1_picture(self, ra: float, dec: float, side: int, names: dict[str, str]) -> str:
        """Address of a colour picture with i, r, g as red, green, blue; `side` in pixels of 0.25 arcsec.

        Parameters
        ----------
        ra, dec : float
            Degrees.
        side : int
            Pixels of 0.25 arcsec.
        names : dict of str to str
            File of each filter, by the filter.
        """
        colours = {"red": names["i"], "green": names["r"], "blue": names["g"]}
        query = _position(ra, dec) | {"size": side, "format": "png"} | colours
        return f"{self.ps1.rstrip('/')}/fitscut.cgi?{urlencode(query)}"

    @property
    def _skyserver(self) -> str:
        return f"{self.skyserver.rstrip('/')}/dr{self.release}/SkyServerWS"

    @property
    def _files_release(self) -> int:
        return min(self.release, LAST_PLATES)

    @property
    def _sas(self) -> str:
        return f"{self.sas.rstrip('/')}/dr{self._files_release}"


def _position(ra: float, dec: float) -> dict[str, str]:
    return {"ra": f"{ra:.8f}", "dec": f"{dec:.8f}"}
