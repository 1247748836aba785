"""The zoo's models as stages of RAIL, the photometric redshifts of LSST DESC: an Informer and an Estimator.

They are stages of ``pz-rail-base`` 2.0: a table makes a model, a model and chunks of a catalogue an ensemble of ``qp``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from common.data.sources.magnitudes import LIMIT_ERROR
from common.data.sources.memory import loaded_arrays
from common.models.model import Model
from common.models.opening import load
from common.outputs.column import GRID
from common.outputs.distribution import even_grid, rebinned
from sdss_gs.errors import OptionError
from sdss_gs.schema import Input, parse_model_name
from sdss_gs.split import ALL
from sdss_gs.tables.names import short_name

try:
    import qp
    from ceci.config import StageConfig, StageParameter
    from rail.core.common_params import SharedParams, lsst_mag_cols, lsst_mag_err_cols
    from rail.core.enums import DistributionType
    from rail.estimation.estimator import CatEstimator
    from rail.estimation.informer import CatInformer
except ModuleNotFoundError as _error:
    _needed = f'common.elsewhere.rail needs RAIL, found no {_error.name}; in the repository: pip install -e ".[rail]"'
    raise ModuleNotFoundError(_needed, name=_error.name) from None

OUTPUT = "redshift"
BANDS = 5
"""Of LSST's six bands, u to z: those that SDSS has, and ``b2r`` knows."""
MODEL_BINS, GRID_BINS = "model", "grid"
PHOTOMETRY = {
    "bands": StageParameter(
        list, lsst_mag_cols[:BANDS], msg="Columns of the model's magnitudes, in its order; '' for one that is not there"
    ),
    "err_bands": StageParameter(
        list, lsst_mag_err_cols[:BANDS], msg="Columns of their errors in the same order, or [] where there are none"
    ),
    "nondetect_val": SharedParams.copy_param("nondetect_val"),
    "nonobserved_val": SharedParams.copy_param("nonobserved_val"),
    "mag_limits": SharedParams.copy_param("mag_limits"),
}
"""By which both stages read magnitudes; under RAIL's names."""


class _ZooStage:
    """What both stages have."""

    @classmethod
    def generate_command(cls, *arguments: object, **options: object) -> str:
        """Return the command that runs the stage: by the whole name of its class, as `common` has no stages to run."""
        command = super().generate_command(*arguments, **options)
        return command.replace(f"-m common {cls.name}", f"-m ceci {cls.get_module()}.{cls.name}", 1)

    def _check_columns(self, *more: str) -> None:
        # Each once: RAIL 2.0 finds a column that is asked for twice missing.
        columns = list(dict.fromkeys(filter(None, (*self.config.bands, *self.config.err_bands, *more))))
        self._check_column_names(self.get_handle("input", allow_missing=True), columns)


class ZooInformer(_ZooStage, CatInformer):
    """Train one of the zoo's models of redshifts; what it keeps as its model are the bytes of `Model.to_bytes`."""

    name = "ZooInformer"
    entrypoint_function = "inform"
    config_options = CatInformer.config_options.copy()
    config_options.update(
        redshift_col=SharedParams.copy_param("redshift_col"),
        zoo_model=StageParameter(str, "b2r", msg="Model folder whose network is trained"),
        zoo_options=StageParameter(dict, {}, msg="Options of its train.py; without split, split is 'all'"),
        **PHOTOMETRY,
    )

    def validate(self) -> None:
        """Look for the columns before anything is trained."""
        self._check_columns(self.config.redshift_col)

    def run(self) -> None:
        """Train."""
        # Not with the others: an Estimator needs no TensorFlow.
        from common.training.from_python import train

        item, output = parse_model_name(self.config.zoo_model)
        if output.name != OUTPUT or not item.columns:
            found = repr(self.config.zoo_model)
            raise OptionError(f"zoo_model: expected a model of redshifts from magnitudes, found {found}")
        group, data = self.config.hdf5_groupname, self.get_data("input")
        table = self._convert_table_format(data[group] if group else data)
        options = {"split": ALL} | dict(self.config.zoo_options)
        rows = read_rows(table, self.config, item, limits=options.get("errors") != "no")
        # Not under SDSS's names, which would say that they are its model magnitudes.
        bands = [short_name(column) for column in item.columns]
        names = (*bands, *(f"err_{band}" for band in bands))
        columns = dict(zip(names, rows.T, strict=True)) | {OUTPUT: np.asarray(table[self.config.redshift_col])}
        self.model = train(self.config.zoo_model, columns, **options).to_bytes()
        self.add_data("model", self.model)


class ZooEstimator(_ZooStage, CatEstimator):
    """Predict the distributions of redshifts.

    The ensemble is a ``qp.hist``. Its ``ancil`` has ``zmode``, ``zmedian``, the ends of the zoo's intervals
    (``z_low_68``, …) and ``flag``, see `flags.Flag`. A galaxy without a prediction keeps its row: NaN, and its flag.
    """

    name = "ZooEstimator"
    entrypoint_function = "estimate"
    config_options = CatEstimator.config_options.copy()
    config_options.update(
        zoo_bins=StageParameter(
            str,
            MODEL_BINS,
            msg="Bins of the distributions: 'model', as it predicts; 'grid', nzbins borders, zmin to zmax",
        ),
        **PHOTOMETRY,
    )

    def validate(self) -> None:
        """Look for the columns before anything is predicted."""
        self._check_columns()

    def open_model(self, tag: str = "model", **kwargs: object) -> Model | None:
        """Open the model from the bytes that an Informer, or `Model.to_bytes`, has made."""
        content = super().open_model(tag, **kwargs)
        if content is not None:
            self.model = load(content).with_pdf(GRID)
            if [output.name for output in self.model.outputs] != [OUTPUT] or not self.model.inputs[0].columns:
                raise OptionError(f"model: expected one of redshifts from magnitudes, found {self.model.name}")
        return self.model

    @classmethod
    def default_distribution_type(cls) -> DistributionType:
        """Say what the distributions are: of the redshift, given the magnitudes."""
        return DistributionType.posterior

    def _process_chunk(self, start: int, end: int, data: Mapping, first: bool) -> None:
        table = self._convert_table_format(data)
        (item,), (output,) = self.model.inputs, self.model.outputs
        seen = {item.name: read_rows(table, self.config, item, limits=item.errors > 0)[:, : len(item.columns)]}
        found = self.model.columns_of(loaded_arrays(self.model.name, [item], self.model.shapes, seen))
        densities = found.pop(f"{OUTPUT}_pdf")
        ensemble = qp.Ensemble(qp.hist, histograms(densities, output.grid, self._borders(output.grid)))
        # Not under the name of the redshift, which RAIL takes for the true one.
        ends = {name.replace(OUTPUT, "z", 1): ends for name, ends in found.items() if name.startswith(f"{OUTPUT}_")}
        modes = {"zmode": modes_of(densities, output.grid), "zmedian": found[OUTPUT]}
        ensemble.set_ancil(modes | ends | {"flag": found["flag"]})
        self._do_chunk_output(ensemble, start, end, first, data=table)

    def _borders(self, grid: Sequence[float]) -> np.ndarray:
        if self.config.zoo_bins == GRID_BINS:
            return np.linspace(self.config.zmin, self.config.zmax, self.config.nzbins)
        if self.config.zoo_bins == MODEL_BINS:
            return even_grid(grid)
        raise OptionError(f"zoo_bins: expected {MODEL_BINS} or {GRID_BINS}, found {self.config.zoo_bins!r}")


def read_rows(table: Mapping[str, np.ndarray], config: StageConfig, item: Input, limits: bool) -> np.ndarray:
    """Read magnitudes and their errors as RAIL writes them.

    A magnitude of ``nondetect_val`` (NaN, if that is NaN) was looked at and not seen: it is the limit of its band in
    ``mag_limits``, with the error of a signal as large as its noise. Without such a limit, or a column of errors, it is
    missing. So is one of ``nonobserved_val``, and what is no finite number.

    Parameters
    ----------
    table : mapping of str to ndarray, shape (n,)
    config : StageConfig
        With `PHOTOMETRY`.
    item : Input
        The model's.
    limits : bool
        Whether the model looks at errors; to one that does not, a limit would be a measurement.

    Returns
    -------
    ndarray of float64, shape (n, 2 · bands)
        Magnitudes, then errors, NaN where missing.

    Raises
    ------
    OptionError
        If there are more or fewer columns than the model knows magnitudes.
    """
    count, names, errors = len(item.magnitudes), list(config.bands), list(config.err_bands)
    for key, given in (("bands", names), ("err_bands", errors)):
        if len(given) != count and (given or key == "bands"):
            wanted = ", ".join(item.magnitudes)
            raise OptionError(f"{key}: expected {count} columns, for {wanted}, found {len(given)}")
    objects = len(next(iter(table.values())))
    rows = np.full((objects, 2 * count), np.nan)
    for number, (name, error) in enumerate(zip(names, errors or [""] * count, strict=True)):
        if not name:
            continue
        values = np.asarray(table[name], np.float64)
        limit = config.mag_limits.get(name, np.nan) if error and limits else np.nan
        undetected = np.isnan(values) if np.isnan(config.nondetect_val) else np.isclose(values, config.nondetect_val)
        absent = np.isclose(values, config.nonobserved_val) | ~np.isfinite(values)
        rows[:, number] = np.where(undetected, limit, np.where(absent, np.nan, values))
        if error:
            rows[:, count + number] = np.where(undetected, LIMIT_ERROR, np.asarray(table[error], np.float64))
    rows[:, count:][np.isnan(rows[:, :count])] = np.nan
    return rows


def histograms(densities: np.ndarray, grid: Sequence[float], borders: np.ndarray) -> dict[str, object]:
    """Return the data of a ``qp.hist``; NaN where there is no distribution, or nothing of it between the borders.

    Parameters
    ----------
    densities : ndarray, shape (n, bins)
        Of the model.
    grid : sequence of float
        Borders of its bins.
    borders : ndarray
        Of the histogram's bins, of equal width: qp 1.1 takes the first one's for all of them where it computes a mean.
    """
    shares = rebinned(densities * np.diff(grid), grid, borders)
    with np.errstate(invalid="ignore"):
        shares = shares / shares.sum(axis=1, keepdims=True)
    # NaN is what a galaxy without a prediction has: nothing to warn of.
    return {"bins": borders, "pdfs": shares / (borders[1] - borders[0]), "norm": False, "warn": False}


def modes_of(densities: np.ndarray, grid: Sequence[float]) -> np.ndarray:
    """Return the middle of the densest bin of each distribution, float64 ``(n,)``; NaN where there is none."""
    middles, known = (np.asarray(grid)[1:] + np.asarray(grid)[:-1]) / 2, np.isfinite(densities).all(axis=1)
    return np.where(known, middles[np.argmax(densities, axis=1)], np.nan)
