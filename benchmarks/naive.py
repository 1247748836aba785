"""The naive way, which every ratio is taken to: open the one file of an object when the object is needed.

It is how the zoo's predecessor fed its networks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from sdss_gs.schema import INPUTS, WAVELENGTH_RANGE


def read_path(name: str, path: str | Path) -> np.ndarray:
    """Read one file with the library that its ending suggests."""
    if name == "img":
        with Image.open(path) as image:
            return np.array(image)
    if name == "fits":
        return np.load(path)
    spectrum = pd.read_csv(path)
    # The survey's tables reach a little beyond the window of the network.
    inside = spectrum["Wavelength"].between(*WAVELENGTH_RANGE)
    return spectrum["BestFit"].to_numpy(np.float32)[inside]


def read_object(folder: Path, name: str, frame: pd.DataFrame, objid: int) -> tuple[np.ndarray, float]:
    """Read one object's input and redshift; its row is found by a scan of the whole catalogue."""
    row = frame[frame["objid"] == objid]
    redshift = float(row["redshift"].iloc[0])
    if INPUTS[name].columns:
        return row[list(INPUTS[name].columns)].to_numpy(np.float32)[0], redshift
    return read_path(name, folder / name / f"{objid}{INPUTS[name].suffix}"), redshift


def read_batch(folder: Path, name: str, frame: pd.DataFrame, objids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stack the inputs and redshifts of some objects, ``(n, ...)`` and ``(n, 1)``."""
    inputs, redshifts = zip(*(read_object(folder, name, frame, objid) for objid in objids), strict=True)
    return np.stack(inputs), np.array(redshifts, np.float32)[:, None]
