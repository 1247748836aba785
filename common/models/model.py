"""A trained model ready to use: ``load("i2r").predict(...)``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.backend import keras
from common.data.measure import TrainingRange
from common.data.sources import Chunk, Loaded, Source, open_source
from common.models.store import serving_inputs
from common.networks.augment import forms
from common.outputs.calibration import Calibration
from common.outputs.flags import NO_PREDICTION, Flag
from common.outputs.kinds import kind_of
from sdss_gs.errors import OptionError
from sdss_gs.schema import Input, Output

ROWS_PER_STEP, OBJECTS_PER_STEP = 8192, 64
"""Rows of a table, or other objects, that the network sees at a time."""
HASH_DIGITS = 12


@dataclass(frozen=True)
class Model:
    """A trained model with everything it takes to use it.

    Parameters
    ----------
    name : str
        For example ``i2r``.
    version : str
        In the registry, or of the exported folder.
    sha256 : str
        Of the weights' file.
    item, output : Input, Output
    network : keras.Model
    shape : tuple of int
        Shape of one object, as the network wants it.
    reading : dict
        Options of the training without which inputs or values cannot be understood.
    calibration : Calibration
    training_range : TrainingRange
    tta : bool
        Whether each image is seen in its eight symmetric forms, and what the network gives for them is averaged:
        redshift, log10 of the mass, or probability. Error bars stay those that were calibrated without.
    """

    name: str
    version: str
    sha256: str
    item: Input
    output: Output
    network: keras.Model
    shape: tuple[int, ...]
    reading: dict[str, object]
    calibration: Calibration
    training_range: TrainingRange
    tta: bool = False

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it looks at."""
        return (self.item,)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What it predicts."""
        return (self.output,)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one object, by input."""
        return {self.item.name: self.shape}

    def predict(self, values: object) -> pd.DataFrame:
        """Predict objects.

        Parameters
        ----------
        values : ndarray, path, or list of paths
            An array ``(n, *shape)``, or of one object, ``shape``; or whatever `source.open_source` takes: an SDSS-GS
            folder, a catalogue, a folder of files, single files.

        Returns
        -------
        DataFrame
            One row per object with the columns that `columns` lists, in the order of the objects; for files and
            catalogues also their ids, and in words what is wrong with an input.

        Raises
        ------
        ZooError
            If `values` cannot be understood. A single bad object only gets a flag.
        """
        if are_paths(values):
            return predict_paths(self, values)
        array = array_of(self.name, self.shape, values)
        return self.predict_array(array)

    def predict_loaded(self, loaded: Mapping[str, Loaded]) -> pd.DataFrame:
        """Predict objects whose input, by its name, was loaded from wherever they are; columns as `columns` lists."""
        one = loaded[self.item.name]
        return self.predict_array(one.values, one.flags)

    def predict_array(self, values: np.ndarray, flags: np.ndarray | None = None) -> pd.DataFrame:
        """Predict objects that are in memory.

        Parameters
        ----------
        values : ndarray, shape (n, *shape)
            Rows without a usable input may hold anything.
        flags : ndarray of int32, shape (n,), optional
            What is known about the inputs.

        Returns
        -------
        DataFrame
            Columns as `columns` lists them; NaN (or None) where there is no prediction.
        """
        flags = np.zeros(len(values), np.int32) if flags is None else flags
        seen, flags = self.usable({self.item.name: Loaded(values, flags)})
        columns, unsure = kind_of(self.output).values(self.calibration, self.raw(seen[self.item.name]))
        good = np.flatnonzero((flags & NO_PREDICTION) == 0)
        flags[good[unsure]] |= int(Flag.UNSURE)
        found = dict(zip(kind_of(self.output).columns(), columns, strict=True))
        frame = pd.DataFrame(found, index=good).reindex(range(len(values)))
        frame["flag"] = flags
        return frame[self.columns()]

    def usable(self, loaded: Mapping[str, Loaded]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Choose the objects that the network can see.

        Returns
        -------
        seen : dict of str to ndarray, shape (m, ...)
            By input, of the objects without a bit of `flags.NO_PREDICTION`.
        flags : ndarray of int32, shape (n,)
            Of all objects.
        """
        values, flags = loaded[self.item.name].values, loaded[self.item.name].flags.astype(np.int32)
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        flags |= np.where(finite | ((flags & NO_PREDICTION) != 0), 0, int(Flag.BAD_INPUT)).astype(np.int32)
        good = (flags & NO_PREDICTION) == 0
        seen = np.ascontiguousarray(values[good], self.item.dtype)
        if len(seen):
            outside = self.training_range.outside(self.item, seen)
            flags[good] |= np.where(outside, int(Flag.OUTSIDE_TRAINING), 0).astype(np.int32)
        return {self.item.name: seen}, flags

    def weights(self) -> str:
        """Name the weights, see `weights_text`."""
        return weights_text(self.sha256)

    def columns(self) -> list[str]:
        """List the columns of a prediction: those of the output's kind, and ``flag``, see `Flag`."""
        return [*kind_of(self.output).columns(), "flag"]

    def example(self) -> dict[str, np.ndarray]:
        """Make the input of one object, all zeros, as the stored model wants it."""
        return serving_inputs(self.item, np.zeros((1, *self.shape), self.item.dtype))

    def raw(self, values: np.ndarray) -> np.ndarray:
        """Run the network; return the catalogue's unit, float64 ``(n,)``, or probabilities or votes ``(n, size)``."""
        if not len(values):
            return kind_of(self.output).nothing()
        views = forms(values) if self.tta else (values,)
        found = np.mean([run(self.network, serving_inputs(self.item, view), self.inputs) for view in views], axis=0)
        return kind_of(self.output).decode(found, str(self.reading.get("target", "log")))


def run(network: keras.Model, values: np.ndarray | Mapping[str, np.ndarray], items: Sequence[Input]):
    """Run a network over at least one object, as many at a time as suits its inputs; return what Keras does."""
    step = ROWS_PER_STEP if all(item.columns for item in items) else OBJECTS_PER_STEP
    if len(next(iter(values.values())) if isinstance(values, Mapping) else values) <= step:
        # One step needs none of what `predict` sets up around many, which takes a hundred times as long.
        return network.predict_on_batch(values)
    return network.predict(values, batch_size=step, verbose=0)


def predict_paths(model, paths: object) -> pd.DataFrame:
    """Predict what one or several paths name, all of it at once; see `Model.predict`."""
    paths = [paths] if isinstance(paths, str | os.PathLike) else paths
    source = open_source(paths, [item.name for item in model.inputs], progress=False)
    return pd.concat([predict_chunk(model, chunk, source) for chunk in source.chunks()], ignore_index=True)


def predict_chunk(model, chunk: Chunk, source: Source) -> pd.DataFrame:
    """Predict the objects of a chunk.

    Parameters
    ----------
    model : Model or MultiModel
    chunk : Chunk
    source : Source
        Where the chunk comes from.

    Returns
    -------
    DataFrame
        The id, the model's columns, and ``problem``: what is wrong with an input, in words.
    """
    loaded = load_chunk(model, chunk, source)
    frame = model.predict_loaded(loaded)
    frame.insert(0, source.id_name, chunk.ids.to_pandas().to_numpy())
    frame["problem"] = problems_of(loaded, len(frame))
    return frame


def load_chunk(model, chunk: Chunk, source: Source) -> dict[str, Loaded]:
    """Load those inputs of a chunk that a model looks at and the source has."""
    column = str(model.reading.get("column", ""))
    return {
        item.name: chunk.load(item, model.shapes[item.name], column)
        for item in model.inputs
        if item.name in source.inputs
    }


def problems_of(loaded: Mapping[str, Loaded], count: int) -> list[str]:
    """Say in words what is wrong with the inputs of so many objects."""
    rows = range(count)
    return ["; ".join(one.problems[row] for one in loaded.values() if row in one.problems) for row in rows]


def weights_text(sha256: str) -> str:
    """Name weights by the first digits of their SHA-256; digits alone might be read back as a number."""
    return f"sha256:{sha256[:HASH_DIGITS]}"


def array_of(name: str, shape: tuple[int, ...], values: object) -> np.ndarray:
    """Take numbers as objects of a shape, ``(n, *shape)``.

    Raises
    ------
    OptionError
        If they have another shape or are no numbers.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.shape[-len(shape) :] != shape:
        wanted = ", ".join(map(str, shape))
        raise OptionError(f"{name}: expected numbers of shape (n, {wanted}), found {array.dtype} {array.shape}")
    return array.reshape(-1, *shape)


def are_paths(values: object) -> bool:
    """Tell whether something is a path, or begins with one."""
    first = values[0] if isinstance(values, Sequence) and not isinstance(values, str) and len(values) else values
    return isinstance(first, str | os.PathLike)
