"""A trained model ready to use: ``load("i2r").predict(...)``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.backend import keras
from common.data.measure import TrainingRange
from common.data.sources import Chunk, Loaded, Source, open_source
from common.networks.augment import TURNED, forms
from common.networks.build import decider_of, encoder_of, is_flat
from common.networks.inputs import PRESENT
from common.outputs.calibration import Calibration
from common.outputs.flags import NO_PREDICTION, Flag
from common.outputs.kinds import kind_of
from sdss_gs.errors import OptionError
from sdss_gs.schema import Input, Output

ROWS_PER_STEP, OBJECTS_PER_STEP = 8192, 64
"""Rows of a table, or other objects, that the network sees at a time."""
HASH_DIGITS = 12
USED = "inputs"
"""Column that names the inputs a prediction was made from."""
ANY = ""
"""Set of inputs that stands for: whatever an object has."""

Calibrations = dict[str, dict[str, Calibration]]
"""By set of inputs (``img|bands``, in the order of the model's inputs; `ANY`) and output."""


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
    inputs : tuple of Input
        In the order in which the network knows what is present.
    outputs : tuple of Output
    network : keras.Model
        As it is stored, see `serving_network`.
    shapes : dict of str to tuple of int
        Shape of one object, by input.
    reading : dict
        Options of the training without which inputs or values cannot be understood.
    calibrations : dict of str to dict of str to Calibration
        By set of inputs and output.
    training_ranges : dict of str to TrainingRange
        By input.
    tta : bool
        Whether each image is seen in its eight symmetric forms, and what the network gives for them is averaged:
        redshift, log10 of the mass, or probability. Error bars stay those that were calibrated without.
    """

    name: str
    version: str
    sha256: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    network: keras.Model
    shapes: dict[str, tuple[int, ...]]
    reading: dict[str, object]
    calibrations: Calibrations
    training_ranges: dict[str, TrainingRange]
    tta: bool = False

    @property
    def flat(self) -> bool:
        """Whether the network leads from one input straight to one output; of others any input may be missing."""
        return is_flat(self.network)

    def columns(self) -> list[str]:
        """List the columns of a prediction.

        Those of `Kind.columns`, and ``flag``, see `Flag`. Of a model whose inputs may be missing also ``inputs``,
        those a prediction was made from, joined by ``|``, and for each output its ``<output>_flag``; ``flag`` then has
        the bits of all outputs.
        """
        if self.flat:
            return [*kind_of(self.outputs[0]).columns(), "flag"]
        parts = [[*kind_of(output).columns(), f"{output.name}_flag"] for output in self.outputs]
        return [USED, *(column for part in parts for column in part), "flag"]

    def weights(self) -> str:
        """Name the weights by the first digits of their SHA-256; digits alone might be read back as a number."""
        return f"sha256:{self.sha256[:HASH_DIGITS]}"

    def example(self) -> dict[str, np.ndarray]:
        """Make the input of one object, all zeros, as the stored model wants it."""
        zeros = {item.name: np.zeros((1, *self.shapes[item.name]), item.dtype) for item in self.inputs}
        if self.flat:
            return serving_inputs(self.inputs[0], zeros[self.inputs[0].name])
        return zeros | {PRESENT: np.ones((1, len(self.inputs)), np.float32)}

    # === From objects to a table ===

    def predict(self, values: object) -> pd.DataFrame:
        """Predict objects.

        Parameters
        ----------
        values : ndarray, dict of str to ndarray, path, or list of paths
            An array ``(n, *shape)``, or of one object, ``shape``; arrays by input, of which some may be left out and
            rows of NaN count as missing; or whatever `sources.open_source` takes: an SDSS-GS folder, a catalogue, a
            folder of files, single files.

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
            return _predict_paths(self, values)
        if self.flat and not isinstance(values, Mapping):
            values = {self.inputs[0].name: values}
        return self.predict_loaded(self._loaded(values))

    def _loaded(self, values: object) -> dict[str, Loaded]:
        if not isinstance(values, Mapping) or not values or not set(values) <= set(self.shapes):
            found = ", ".join(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
            raise OptionError(f"{self.name}: expected arrays by input ({', '.join(self.shapes)}), found {found}")
        arrays = {key: _array_of(self.name, self.shapes[key], array) for key, array in values.items()}
        if len({len(array) for array in arrays.values()}) > 1:
            lengths = ", ".join(f"{len(array)} of {key}" for key, array in arrays.items())
            raise OptionError(f"{self.name}: expected equally many objects of each input, found {lengths}")
        return {key: Loaded(array, np.zeros(len(array), np.int32)) for key, array in arrays.items()}

    def predict_loaded(self, loaded: Mapping[str, Loaded]) -> pd.DataFrame:
        """Predict objects from what was loaded of them, by input; inputs that are left out count as missing.

        Returns
        -------
        DataFrame
            Columns as `columns` lists them; NaN (or None) where there is no prediction.
        """
        seen, present, flags = self.usable(loaded)
        good = np.flatnonzero(present.any(axis=1))
        predicted = self.answers(seen, present[good])
        used = self._names_of(present)
        frames, together = [pd.DataFrame({USED: used})], flags.copy()
        for output in self.outputs:
            own, parts = flags.copy(), []
            # At least once, so that a piece without any prediction has columns of the same kinds.
            for key in dict.fromkeys(used[good]) or (ANY,):
                chosen = used[good] == key
                kind, here = kind_of(output), good[chosen]
                values, unsure = kind.values(self.calibration(key, output), predicted[output.name][chosen])
                parts.append(pd.DataFrame(dict(zip(kind.columns(), values, strict=True)), index=here))
                own[here[unsure]] |= int(Flag.UNSURE)
            frames += [pd.concat(parts).reindex(range(len(flags))), pd.Series(own, name=f"{output.name}_flag")]
            together |= own
        frames.append(pd.Series(together, name="flag"))
        return pd.concat(frames, axis=1)[self.columns()]

    def _names_of(self, present: np.ndarray) -> np.ndarray:
        """Name the inputs of each object, joined by ``|``."""
        bits = 1 << np.arange(len(self.inputs))
        codes, which = np.unique(present @ bits, return_inverse=True)
        names = np.array([item.name for item in self.inputs])
        return np.array(["|".join(names[(code & bits) > 0]) for code in codes], object)[which]

    def calibration(self, used: str, output: Output) -> Calibration:
        """Choose the calibration for a set of inputs.

        That of the largest set within it which has one: what is seen beyond it makes no prediction worse than its
        intervals say. Without any, that of objects with whatever they have.
        """
        names = set(used.split("|"))
        known = [key for key, found in self.calibrations.items() if output.name in found]
        within = [key for key in known if key and set(key.split("|")) <= names]
        best = max(within, key=lambda key: key.count("|"), default=ANY)
        return self.calibrations[best][output.name]

    # === What the network sees and says ===

    def usable(self, loaded: Mapping[str, Loaded]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Choose what the network can see.

        Returns
        -------
        seen : dict of str to ndarray, shape (m, ...)
            By input, of those objects that have a usable one.
        present : ndarray of bool, shape (n, inputs)
            Which these are.
        flags : ndarray of int32, shape (n,)
            Of all objects.
        """
        count = len(next(iter(loaded.values())).flags)
        flags, present = np.zeros(count, np.int32), np.zeros((count, len(self.inputs)), bool)
        seen = {}
        for number, item in enumerate(self.inputs):
            if item.name not in loaded:
                continue
            one = loaded[item.name]
            finite = np.isfinite(one.values).reshape(count, -1).all(axis=1)
            bad = np.where(finite | ((one.flags & NO_PREDICTION) != 0), 0, int(Flag.BAD_INPUT))
            own = one.flags.astype(np.int32) | bad.astype(np.int32)
            good = present[:, number] = (own & NO_PREDICTION) == 0
            if good.any():
                seen[item.name] = np.ascontiguousarray(one.values[good], item.dtype)
                outside = self.training_ranges[item.name].outside(item, seen[item.name])
                own[good] |= np.where(outside, int(Flag.OUTSIDE_TRAINING), 0).astype(np.int32)
            flags |= own
        some = present.any(axis=1)
        # One input that is there is enough for a prediction: the others that lack or are damaged are no reason to flag.
        flags[some] &= ~int(NO_PREDICTION)
        flags[~some & (flags == 0)] = int(Flag.MISSING)
        return seen, present, flags

    def answers(self, seen: Mapping[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network.

        Parameters
        ----------
        seen : mapping of str to ndarray, shape (m, ...)
            By input, what the m objects that have it look like.
        present : ndarray of bool, shape (n, inputs)
            Which of the n objects these are; each has one at least.

        Returns
        -------
        dict of str to ndarray
            By output, in the catalogue's unit, float64 ``(n,)``, or probabilities or votes ``(n, size)``.
        """
        return self.decided(self.views(seen, present), len(present))

    def views(self, seen: Mapping[str, np.ndarray], present: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """Encode what the network is to see: the objects as they are, or in their eight forms; see `encoded`."""
        for view in _forms(seen) if self.tta else (seen,):
            yield self.encoded(view, present)

    def encoded(self, seen: Mapping[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
        """Run the encoders, where most of the arithmetic is; nothing is spent on what an object lacks.

        Parameters
        ----------
        seen, present
            As for `answers`.

        Returns
        -------
        dict of str to ndarray
            What `decided` takes; of a flat network its inputs as they are.
        """
        if self.flat:
            return serving_inputs(self.inputs[0], seen[self.inputs[0].name]) if len(present) else {}
        features = {}
        for number, item in enumerate(self.inputs):
            encoder = encoder_of(self.network, item)
            features[item.name] = np.zeros((len(present), *encoder.output.shape[1:]), np.float32)
            if present[:, number].any():
                features[item.name][present[:, number]] = run(encoder, seen[item.name], (item,))
        return features | {PRESENT: present.astype(np.float32)}

    def decided(self, views: Iterable[Mapping[str, np.ndarray]], count: int) -> dict[str, np.ndarray]:
        """Run the rest of the network on views of some objects, see `encoded`, and average over these."""
        if not count:
            return {output.name: kind_of(output).nothing() for output in self.outputs}
        decider = decider_of(self.network)
        found = [run(decider, view, self.inputs if self.flat else ()) for view in views]
        target, decoded = str(self.reading.get("target", "log")), {}
        for output in self.outputs:
            raw = np.mean([one if self.flat else one[output.name] for one in found], axis=0)
            decoded[output.name] = kind_of(output).decode(raw, target)
        return decoded


def serving_network(network: keras.Model, item: Input) -> keras.Model:
    """Give a flat network of a table one named input per catalogue column, so that it takes a CSV file as it is.

    Parameters
    ----------
    network : keras.Model
        Input ``{item.name: (batch, columns)}``.
    item : Input

    Returns
    -------
    keras.Model
        For a table input: inputs ``{column: (batch,)}``; else the network itself.
    """
    if not item.columns:
        return network
    columns = {column: keras.Input((), name=column, dtype=item.dtype) for column in item.columns}
    table = keras.ops.stack(list(columns.values()), axis=-1)
    return keras.Model(columns, network({item.name: table}), name=network.name)


def serving_inputs(item: Input, values: np.ndarray) -> dict[str, np.ndarray]:
    """Name a flat network's arrays as the stored model wants them: by column for a table, else by input."""
    if not item.columns:
        return {item.name: values}
    return {column: values[:, number] for number, column in enumerate(item.columns)}


def _forms(seen: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Turn and mirror the images among some inputs into each of their eight symmetric forms."""
    turned = {name: forms(values) for name, values in seen.items() if name in TURNED}
    for _ in range(8):
        yield dict(seen) | {name: next(views) for name, views in turned.items()}


def run(network: keras.Model, values: np.ndarray | Mapping[str, np.ndarray], items: Sequence[Input]):
    """Run a network over at least one object, as many at a time as suits its inputs; return what Keras does.

    Parameters
    ----------
    network : keras.Model
    values : ndarray or mapping of str to ndarray
        Its input, or inputs by name, ``(n, ...)``.
    items : sequence of Input
        What these are.
    """
    step = ROWS_PER_STEP if all(item.columns for item in items) else OBJECTS_PER_STEP
    if len(next(iter(values.values())) if isinstance(values, Mapping) else values) <= step:
        # One step needs none of what `predict` sets up around many, which takes a hundred times as long.
        return network.predict_on_batch(values)
    return network.predict(values, batch_size=step, verbose=0)


def _predict_paths(model: Model, paths: object) -> pd.DataFrame:
    """Predict what one or several paths name, all of it at once; see `Model.predict`."""
    paths = [paths] if isinstance(paths, str | os.PathLike) else paths
    source = open_source(paths, [item.name for item in model.inputs], progress=False)
    return pd.concat([predict_chunk(model, chunk, source) for chunk in source.chunks()], ignore_index=True)


def predict_chunk(model: Model, chunk: Chunk, source: Source) -> pd.DataFrame:
    """Predict the objects of a chunk.

    Parameters
    ----------
    model : Model
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


def load_chunk(model: Model, chunk: Chunk, source: Source) -> dict[str, Loaded]:
    """Load those inputs of a chunk that a model looks at and the source has.

    Parameters
    ----------
    model : Model
    chunk : Chunk
    source : Source
        Where the chunk is from.
    """
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


def _array_of(name: str, shape: tuple[int, ...], values: object) -> np.ndarray:
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


def _are_paths(values: object) -> bool:
    """Tell whether something is a path, or begins with one."""
    first = values[0] if isinstance(values, Sequence) and not isinstance(values, str) and len(values) else values
    return isinstance(first, str | os.PathLike)
