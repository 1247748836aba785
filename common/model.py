"""A trained model ready to use: ``load("i2r").predict(...)``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sdss_gs.decision_tree import TREES
from sdss_gs.errors import OptionError
from sdss_gs.gz2_class import summaries
from sdss_gs.schema import Input, Output

from .backend import keras
from .calibrate import LEVELS, Calibration
from .flags import NO_PREDICTION, Flag
from .measure import TrainingRange
from .outputs import decode
from .sources import Chunk, open_source
from .store import serving_inputs

ROWS_PER_STEP, OBJECTS_PER_STEP = 8192, 64
"""Rows of a table, or other objects, that the network sees at a time."""
SET_LEVEL = 0.9
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
        if _are_paths(values):
            paths = [values] if isinstance(values, str | os.PathLike) else values
            source = open_source(paths, [self.item.name], progress=False)
            frames = [predict_chunk(self, chunk, source.id_name) for chunk in source.chunks()]
            return pd.concat(frames, ignore_index=True)
        array = np.asarray(values)
        if array.dtype.kind not in "fiu" or array.shape[-len(self.shape) :] != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise OptionError(
                f"{self.name}: expected numbers of shape (n, {wanted}), found {array.dtype} {array.shape}"
            )
        return self.predict_array(array.reshape(-1, *self.shape))

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
        flags = np.zeros(len(values), np.int32) if flags is None else flags.astype(np.int32)
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        flags |= np.where(finite | ((flags & NO_PREDICTION) != 0), 0, int(Flag.BAD_INPUT)).astype(np.int32)
        good = (flags & NO_PREDICTION) == 0
        found = self._predicted(np.ascontiguousarray(values[good], self.item.dtype))
        flags[good] |= found.pop("flag").astype(np.int32)
        frame = pd.DataFrame(found, index=np.flatnonzero(good)).reindex(range(len(values)))
        frame["flag"] = flags
        return frame[self.columns()]

    def weights(self) -> str:
        """Name the weights by the first digits of their SHA-256; digits alone might be read back as a number."""
        return f"sha256:{self.sha256[:HASH_DIGITS]}"

    def columns(self) -> list[str]:
        """List the columns of a prediction.

        For a number: the value in the output's unit, and where its 68, 90 and 95 % intervals begin and end
        (``redshift_low_68``). For classes: the most probable one, the classes of the 90 % set joined by ``|``, and the
        calibrated probability of each (``subclass_AGN``). For votes: the class that they sum up to, the weighted share
        of each answer (``votes_Class1.1``), and their 90 % intervals. At the end ``flag``, see `Flag`.
        """
        name = self.output.name
        if self.output.answers:
            shares = [f"{name}_{answer}" for answer in self.output.answers]
            return [name, *shares, *(f"{share}_{end}_90" for share in shares for end in ("low", "high")), "flag"]
        if self.output.classes:
            return [name, f"{name}_set_90", *(f"{name}_{label}" for label in self.output.classes), "flag"]
        ends = (f"{name}_{end}_{percent(level)}" for level in LEVELS for end in ("low", "high"))
        return [name, *ends, "flag"]

    def raw(self, values: np.ndarray) -> np.ndarray:
        """Run the network; return the catalogue's unit, float64 ``(n,)``, or probabilities or votes ``(n, size)``."""
        step = ROWS_PER_STEP if self.item.columns else OBJECTS_PER_STEP
        if not len(values):
            return np.empty((0, self.output.size) if self.output.size > 1 else 0)
        inputs = serving_inputs(self.item, values)
        if len(values) <= step:
            # One step needs none of what `predict` sets up around many, which takes a hundred times as long.
            found = self.network.predict_on_batch(inputs)
        else:
            found = self.network.predict(inputs, batch_size=step, verbose=0)
        return decode(self.output, found, str(self.reading.get("target", "log")))

    def _predicted(self, values: np.ndarray) -> dict[str, np.ndarray]:
        name, output, predicted = self.output.name, self.output, self.raw(values)
        found: dict[str, np.ndarray] = {}
        if output.classes:
            predicted = self.calibration.probabilities(predicted)
            labels = np.array(output.classes, object)
            members = self.calibration.members(predicted, SET_LEVEL)
            found[name] = labels[predicted.argmax(axis=1)]
            found[f"{name}_set_90"] = np.array(["|".join(labels[row]) for row in members], object)
            found |= {f"{name}_{label}": predicted[:, number] for number, label in enumerate(output.classes)}
        elif output.answers:
            found[name] = np.array(summaries(TREES[output.tree], predicted), object)
            ends = self.calibration.bounds(output, predicted, SET_LEVEL)
            for column, answer in enumerate(output.answers):
                found[f"{name}_{answer}"] = predicted[:, column]
                for end, bounds in zip(("low", "high"), ends, strict=True):
                    found[f"{name}_{answer}_{end}_90"] = bounds[:, column]
        else:
            found[name] = predicted
            for level in LEVELS:
                ends = self.calibration.bounds(output, predicted, level)
                found |= {f"{name}_{end}_{percent(level)}": v for end, v in zip(("low", "high"), ends, strict=True)}
        outside = np.zeros(0, bool) if not len(values) else self.training_range.outside(self.item, values)
        unsure = self.calibration.unsure(predicted)
        found["flag"] = outside * int(Flag.OUTSIDE_TRAINING) + unsure * int(Flag.UNSURE)
        return found


def predict_chunk(model: Model, chunk: Chunk, id_name: str) -> pd.DataFrame:
    """Predict the objects of a chunk.

    Returns
    -------
    DataFrame
        The id, the columns of `Model.columns`, and ``problem``: what is wrong with an input, in words.
    """
    loaded = chunk.load(model.item, model.shape, str(model.reading.get("column", "")))
    frame = model.predict_array(loaded.values, loaded.flags)
    frame.insert(0, id_name, chunk.ids.to_pandas().to_numpy())
    frame["problem"] = [loaded.problems.get(row, "") for row in range(len(frame))]
    return frame


def percent(level: float) -> str:
    """Write a level as in the names of columns: 0.68 is ``68``."""
    return f"{100 * level:.0f}"


def _are_paths(values: object) -> bool:
    first = values[0] if isinstance(values, Sequence) and not isinstance(values, str) and len(values) else values
    return isinstance(first, str | os.PathLike)
