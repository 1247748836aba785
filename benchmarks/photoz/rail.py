"""The estimators of RAIL (LSST's Redshift Assessment Infrastructure Layers) that are installed.

pz-rail-base comes with the extra ``rail``; each estimator is a package of its own: pz-rail-flexzboost, pz-rail-sklearn,
pz-rail-gpz-v1, pz-rail-dnf, pz-rail-cmnn.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Mapping
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from sdss_gs.schema import BANDS

from .answers import Answer, Predictor, of_shares
from .galaxies import Galaxies
from .rivals import BINS, Rival, even_borders, normalised

ALGORITHMS = "rail.estimation.algos"
USUAL_ERRORS = (0.05, 0.02, 0.02, 0.02, 0.03)
"""Of u g r i z, mag, where a data set has none: some estimators cannot do without."""
MOST = 0.999
"""Quantile of the training redshifts at which FlexZBoost's basis ends: wider, its functions are."""
GRID_STEP = 0.001


@dataclass(frozen=True)
class Algorithm:
    """An estimator of RAIL.

    Parameters
    ----------
    package, module, name : str
        Where it is; its classes are ``<name>Informer`` and ``<name>Estimator``.
    settings : str
        In words, what differs from RAIL's defaults.
    informer, estimator : mapping
        The same as RAIL's options.
    point : str
        Ancillary column of its own redshift; empty: the median.
    short : bool
        Whether its grid ends at `MOST` of the training redshifts.
    """

    package: str
    module: str
    name: str
    settings: str
    informer: Mapping[str, object] = field(default_factory=dict)
    estimator: Mapping[str, object] = field(default_factory=dict)
    point: str = ""
    short: bool = False


_TREES = {"max_depth": 5, "n_estimators": 100, "learning_rate": 0.1, "objective": "reg:squarederror"}
ALGORITHMS_USED = {
    "rail-flexzboost": Algorithm(
        "pz-rail-flexzboost", "flexzboost", "FlexZBoost",
        "45 basis functions up to the 99.9 % quantile of the redshifts, 100 trees × 0.1 of depth 5, 5 thresholds and 8 "
        "exponents tried on a quarter of the training galaxies, then fitted to all of them",
        {"max_basis": 45, "regression_params": _TREES, "nbump": 5, "nsharp": 8}, short=True,
    ),
    "rail-knn": Algorithm(
        "pz-rail-sklearn", "k_nearneigh", "KNearNeigh",
        "14 to 20 neighbours and 3 widths from 0.007 to 0.013 tried on a quarter of the training galaxies",
        {"nneigh_min": 14, "nneigh_max": 20, "sigma_grid_min": 0.007, "sigma_grid_max": 0.013, "ngrid_sigma": 3},
    ),
    "rail-gpz": Algorithm("pz-rail-gpz-v1", "gpz", "GPz",
        "50 basis functions, 300 iterations, without decorrelation, which suffers from errors that are all alike",
        {"n_basis": 50, "max_iter": 300, "pca_decorrelate": False},
    ),
    "rail-dnf": Algorithm("pz-rail-dnf", "dnf", "DNF", "defaults (angular neighbourhood)", point="DNF_Z"),
    "rail-cmnn": Algorithm("pz-rail-cmnn", "cmnn", "CMNN", "defaults"),
}  # fmt: skip
"""By name in the table."""


def packages() -> dict[str, tuple[str, str]]:
    """Name the package of each algorithm and its version, which is empty where it is not installed."""
    found = {}
    for name, algorithm in ALGORITHMS_USED.items():
        try:
            found[name] = (algorithm.package, version(algorithm.package))
        except PackageNotFoundError:
            found[name] = (algorithm.package, "")
    return found


def rail_rivals() -> dict[str, Rival]:
    """List all algorithms, installed or not, as rivals."""
    return {name: Rival(partial(_fit, one), one.settings) for name, one in ALGORITHMS_USED.items()}


def _fit(algorithm: Algorithm, train: Galaxies, validation: Galaxies, seed: int) -> Predictor:
    borders = even_borders(train.redshift)
    if algorithm.short:
        borders = np.linspace(borders[0], np.quantile(train.redshift, MOST), BINS + 1)
    low, high = max(borders[0], 0.0), float(borders[-1])
    options = {
        "hdf5_groupname": "",
        "bands": list(BANDS),
        "err_bands": [_error(band) for band in BANDS],
        "ref_band": "r",
        "redshift_col": "redshift",
        "mag_limits": dict.fromkeys(BANDS, 30.0),
        "replace_error_vals": list(USUAL_ERRORS),
        "zmin": low,
        "zmax": high,
        "nzbins": round((high - low) / GRID_STEP) + 1,
        "seed": seed,
    }
    # GPz draws its validation galaxies from the common generator.
    np.random.seed(seed)
    informer = _stage(algorithm, "Informer", options | dict(algorithm.informer))
    # Stages write their models where they are.
    with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(sys.stderr):
        model = informer.inform(_table(train)).data
    return partial(_estimate, algorithm, options | dict(algorithm.estimator), model, borders)


def _estimate(
    algorithm: Algorithm, options: Mapping[str, object], model: object, borders: np.ndarray, galaxies: Galaxies
) -> Answer:
    settings = {"output_mode": "return", "chunk_size": 10**6, **options}
    with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(sys.stderr):
        ensemble = _stage(algorithm, "Estimator", settings, model=model).estimate(_table(galaxies)).data
    density = _density(ensemble, np.clip((borders[1:] + borders[:-1]) / 2, options["zmin"], options["zmax"]))
    shares = normalised(np.clip(np.nan_to_num(density), 0, None))
    point = np.ravel(ensemble.ancil[algorithm.point]) if algorithm.point else None
    return of_shares(shares, borders, point)


def _density(ensemble, redshifts: np.ndarray) -> np.ndarray:
    """Return the densities of an ensemble of qp, ``(n, redshifts)``."""
    if "yvals" not in ensemble.objdata:
        return ensemble.pdf(redshifts)
    # What lies between the points of a grid, qp takes minutes to find.
    points = np.ravel(ensemble.metadata["xvals"])
    return np.array([np.interp(redshifts, points, row) for row in ensemble.objdata["yvals"]])


def _stage(algorithm: Algorithm, kind: str, options: Mapping[str, object], **model: object):
    stage = getattr(importlib.import_module(f"{ALGORITHMS}.{algorithm.module}"), algorithm.name + kind)
    known = {name: value for name, value in options.items() if name in stage.config_options}
    return stage.make_stage(name=f"{algorithm.module}_{kind}".lower(), **known, **model)


def _table(galaxies: Galaxies) -> dict[str, np.ndarray]:
    columns = {"redshift": galaxies.redshift.copy()}
    for band, magnitude, error, usual in zip(
        BANDS, galaxies.magnitudes.T, galaxies.errors.T, USUAL_ERRORS, strict=True
    ):
        columns[band] = magnitude.astype(np.float64)
        columns[_error(band)] = np.where(np.isfinite(error), error, usual).astype(np.float64)
    return columns


def _error(band: str) -> str:
    return f"{band}_err"
