"""Frames that are on this machine already: pictures and cut-outs of the objects on them, without a server."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sdss_gs.build import frames
from sdss_gs.build.identity import Field
from sdss_gs.build.ledger import Outcome
from sdss_gs.build.picture import JPEG_QUALITY
from sdss_gs.build.selection import read_position
from sdss_gs.build.work import Workshop, field_in, judged
from sdss_gs.errors import BadFileError, DataError, OptionError
from sdss_gs.files import replacing
from sdss_gs.formats.composite import COLOURS, WEIGHTS
from sdss_gs.schema import BANDS

NAME = re.compile(r"frame-([ugriz])-(\d{6})-(\d)-(\d{4})\.fits(\.(bz2|gz|xz))?")
BANDS_OF = {"img": COLOURS, "fits": BANDS}
"""Of which bands an input is made."""


class FrameFolder:
    """The survey's frames in a folder and its sub-folders, by field and band.

    Parameters
    ----------
    folder : Path
    weights : sequence of three float
        Of i, r and g in pictures.

    Raises
    ------
    OptionError
        If there is no frame.
    """

    def __init__(self, folder: Path, weights: Sequence[float] = WEIGHTS):
        self.folder, self.weights = folder, weights
        self.fields: dict[Field, dict[str, Path]] = {}
        self._reference: dict[Field, frames.Frame] = {}
        for path in sorted(folder.rglob("frame-*")):
            if found := NAME.fullmatch(path.name):
                band, run, camcol, field, *_ = found.groups()
                self.fields.setdefault(Field(int(run), int(camcol), int(field)), {})[band] = path
        if not self.fields:
            wanted = Field(1, 1, 1).frame("r").replace("000001-1-0001", "<run>-<camcol>-<field>")
            raise OptionError(f"--frames {folder}: expected frames of the imaging survey ({wanted}), found none")

    def field_of(self, row: dict[str, str]) -> Field:
        """Say on which of the fields an object lies: the one that its row names, else one that covers its position.

        Raises
        ------
        DataError
            If none does.
        """
        try:
            named = field_in(row)
        except DataError:
            named = None
        for field in self.fields:
            if named is not None and field[:3] == named[:3]:
                return field
        ra, dec = read_position(row)
        for field, paths in self.fields.items():
            if frames.REFERENCE in paths and self._covers(field, ra, dec):
                return field
        raise DataError(f"no frame in {self.folder} covers its position")

    def _covers(self, field: Field, ra: float, dec: float) -> bool:
        if field not in self._reference:
            frame = frames.read_frame(self.fields[field][frames.REFERENCE])
            # Its place on the sky is enough: many frames would not fit into the memory.
            self._reference[field] = frames.Frame(np.broadcast_to(np.float32(0), frame.pixels.shape), frame.wcs)
        height, width = self._reference[field].pixels.shape
        x, y = (float(one) for one in self._reference[field].wcs.all_world2pix(ra, dec, 0))
        return bool(0 <= x < width and 0 <= y < height)

    def load(self, field: Field, bands: Sequence[str]) -> dict[str, frames.Frame]:
        """Read some bands of a field.

        Raises
        ------
        BadFileError
            If a frame is not there or damaged.
        """
        for band in bands:
            if band not in self.fields[field]:
                raise BadFileError(field.frame(band), f"expected it in {self.folder}, found none")
        return {band: frames.read_frame(self.fields[field][band]) for band in bands}


def build_from_frames(workshop: Workshop, folder: FrameFolder, name: str, field: Field, rows: list) -> list[Outcome]:
    """Make the pictures or the cut-outs of all objects of a field.

    Parameters
    ----------
    workshop : Workshop
    folder : FrameFolder
    name : str
        ``img`` or ``fits``.
    field : Field
    rows : list of dict
        Of the catalogue: the objects of the field.
    """
    outcomes: list[Outcome] = []
    try:
        loaded = folder.load(field, BANDS_OF[name])
    except DataError:
        with judged(outcomes, rows, name):
            raise
        return outcomes
    for row in rows:
        target, content = workshop.target(name, row), io.BytesIO()
        with judged(outcomes, [row], name), replacing(target) as temporary:
            if name == "img":
                picture = Image.fromarray(frames.picture(loaded, *read_position(row), folder.weights))
                picture.save(content, "JPEG", quality=JPEG_QUALITY)
            else:
                np.save(content, frames.cut(loaded, *read_position(row)))
            # Neither numpy nor Pillow says why a file could not be written.
            temporary.write_bytes(content.getvalue())
    return outcomes
