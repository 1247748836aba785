"""The galaxies of the data set that a service shows and predicts."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fastapi import HTTPException
from PIL import Image

from common.data.sources import Loaded
from common.data.sources.folder import has_input, loader
from common.models.model import Model
from common.networks.inputs import SOFTENING
from common.serve.answers import number
from sdss_gs.dataset import Dataset, open_dataset
from sdss_gs.errors import DataError, ZooError
from sdss_gs.formats.composite import colour
from sdss_gs.schema import INPUTS, SPECTRUM_COLUMNS
from sdss_gs.split import split

ID_DIGITS = 19
JPEG_QUALITY = 93
ENLARGED = 2
"""Pixels of a picture by pixel of a cut-out."""
BRIGHTEST = 99.7
"""Percentile of a cut-out's stretched pixels that is shown white."""


class Objects:
    """The objects of an SDSS-GS folder.

    Parameters
    ----------
    data : Dataset
        With every input that the folder has.
    """

    def __init__(self, data: Dataset):
        self.data, self.name = data, data.folder.name
        self._load, objid = loader(data), data.catalogue.objid
        self._order = np.argsort(objid)
        self._part = {int(row): part for part, rows in split(objid).items() for row in rows}

    def __len__(self) -> int:
        return len(self.data)

    def find(self, objid: str) -> int:
        """Return the position of an object.

        Raises
        ------
        HTTPException
            404 if there is none.
        """
        if objid.isascii() and objid.isdigit() and len(objid) <= ID_DIGITS and int(objid) < 2**63:
            known, wanted = self.data.catalogue.objid, int(objid)
            place = int(np.searchsorted(known, wanted, sorter=self._order))
            if place < len(known) and known[self._order[place]] == wanted:
                return int(self._order[place])
        raise HTTPException(404, f"object: expected the id of a galaxy of {self.name}, found {objid[:40]!r}")

    def random(self, name: str = "") -> str:
        """Return the id of any object, or of any that has an input."""
        if name and name not in INPUTS:
            raise HTTPException(422, f"input: expected one of {', '.join(INPUTS)}, found {name[:40]!r}")
        usable = () if name and name not in self.data.arrays else self.data.usable([name] if name else [])
        if not len(usable):
            raise HTTPException(404, f"{self.name}: expected a galaxy{f' with {name}' if name else ''}, found none")
        return str(self.data.catalogue.objid[random.choice(usable)])

    def about(self, objid: str) -> dict:
        """Tell what is known about an object."""
        row, numbers = self.find(objid), self.data.catalogue.numbers
        bands = [column for item in INPUTS.values() for column in item.columns]
        return {
            "objid": objid,
            "data": self.name,
            "part": self._part[row],
            "truths": self.truths(objid),
            "magnitudes": {column: number(float(numbers[column][row])) for column in bands},
            "inputs": {name: self._has(name, row) for name in INPUTS},
        }

    def truths(self, objid: str) -> dict[str, float | str | None]:
        """Return an object's true values by output; None where one is missing."""
        truths = self.data.catalogue.truths(self.find(objid))
        return {name: number(value) if isinstance(value, float) else value for name, value in truths.items()}

    def load(self, model: Model, objid: str) -> dict[str, Loaded]:
        """Return a model's inputs of an object.

        Raises
        ------
        HTTPException
            404 if there is no such object, 422 if the data set's objects have another shape than the model takes.
        """
        rows, column = np.array([self.find(objid)]), str(model.reading.get("column", ""))
        try:
            return {item.name: self._load(rows, item, model.shapes[item.name], column) for item in model.inputs}
        except ZooError as error:
            text = str(error).removeprefix(f"{self.data.folder}: ")
            raise HTTPException(422, f"{model.name}: {text}") from None

    def image(self, objid: str) -> bytes:
        """Draw an object's image as JPEG; composed of i, r and g where there is only a cut-out."""
        row = self.find(objid)
        pixels = self._require("img", row) if self._has("img", row) else colour(self._require("fits", row))
        return _encoded(pixels, "JPEG", quality=JPEG_QUALITY)

    def bands(self, objid: str) -> bytes:
        """Draw an object's cut-out as PNG: u, g, r, i and z side by side, each with a stretch of its own."""
        # The first row of a cut-out is its lowest, that of a picture its top: as `composite.colour` has it.
        cutout = self._require("fits", self.find(objid))[::-1]
        stretched = np.arcsinh(cutout / SOFTENING)
        low = np.median(stretched, axis=(0, 1)) - np.std(np.minimum(stretched, 0), axis=(0, 1))
        high = np.maximum(np.percentile(stretched, BRIGHTEST, axis=(0, 1)), low + 1e-3)
        grey = np.uint8(255 * np.clip((stretched - low) / (high - low), 0, 1))
        strip = np.concatenate(list(np.moveaxis(grey, 2, 0)), axis=1)
        return _encoded(strip.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1), "PNG")

    def spectrum(self, objid: str) -> dict:
        """Return an object's observed spectrum and best fit, or one of them where it has no other."""
        row = self.find(objid)
        fluxes = {name: self._require("spectra", row, name) for name in SPECTRUM_COLUMNS}
        fluxes = {name: flux for name, flux in fluxes.items() if not np.isnan(flux).any()}
        return {
            "objid": objid,
            "unit": INPUTS["spectra"].unit,
            "wavelength": np.round(self.data.wavelengths("spectra"), 2).tolist(),
            **{name: [float(f"{value:.4g}") for value in flux] for name, flux in fluxes.items()},
        }

    def _has(self, name: str, row: int) -> bool:
        return name in self.data.rows and bool(self.data.rows[name][row] >= 0)

    def _require(self, name: str, row: int, column: str = SPECTRUM_COLUMNS[0]) -> np.ndarray:
        if not self._has(name, row):
            raise HTTPException(404, f"object: this galaxy has no {name}")
        return self.data.load(name, np.array([row]), column)[0]


def open_objects(folder: Path, say: Callable[[str], None] = print) -> Objects:
    """Open a folder with every input that it has; it is packed first where it is not yet.

    Raises
    ------
    DataError
        If it is no SDSS-GS folder.
    """
    names = []
    for name in [name for name in INPUTS if has_input(folder, name)]:
        try:
            open_dataset(folder, [name])
            names.append(name)
        except DataError as error:
            if INPUTS[name].columns:
                raise
            say(f"left out: {error}")
    return Objects(open_dataset(folder, names))


def _encoded(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()
