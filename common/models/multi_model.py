"""A trained model with several inputs, of which any may be missing, and several outputs: ``load("x2y")``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.backend import keras
from common.data.measure import TrainingRange
from common.data.sources import Loaded
from common.models.model import are_paths, array_of, predict_paths, run, weights_text
from common.networks.multi_network import ENCODER, FUSION
from common.networks.training_wrappers import PRESENT
from common.outputs.calibration import Calibration
from common.outputs.flags import NO_PREDICTION, Flag
from common.outputs.kinds import kind_of
from sdss_gs.errors import OptionError
from sdss_gs.schema import Input, Output

USED = "inputs"
"""Column that names the inputs a prediction was made from."""


@dataclass(frozen=True)
class MultiModel:
    """A trained model with everything it takes to use it; used like a `Model`.

    Parameters
    ----------
    name, version, sha256 : str
        As for `Model`.
    inputs : tuple of Input
        In the order in which the network knows what is present.
    outputs : tuple of Output
    network : keras.Model
    shapes : dict of str to tuple of int
        Shape of one object, by input.
    reading : dict
        Options of the training without which inputs or values cannot be understood.
    calibrations : dict of str to dict of str to Calibration
        By set of inputs and output, see `multi_views.fit_calibrations`.
    training_ranges : dict of str to TrainingRange
        By input.
    """

    name: str
    version: str
    sha256: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    network: keras.Model
    shapes: dict[str, tuple[int, ...]]
    reading: dict[str, object]
    calibrations: dict[str, dict[str, Calibration]]
    training_ranges: dict[str, TrainingRange]

    def predict(self, values: object) -> pd.DataFrame:
        """Predict objects.

        Parameters
        ----------
        values : dict of str to ndarray, path, or list of paths
            Arrays ``(n, *shape)`` by input, of which some may be left out and rows of NaN count as missing; or whatever
            `source.open_source` takes.

        Returns
        -------
        DataFrame
            As for `Model.predict`.

        Raises
        ------
        ZooError
            If `values` cannot be understood.
        """
        if are_paths(values):
            return predict_paths(self, values)
        if not isinstance(values, Mapping) or not values or not set(values) <= set(self.shapes):
            found = ", ".join(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
            raise OptionError(f"{self.name}: expected arrays by input ({', '.join(self.shapes)}), found {found}")
        arrays = {key: array_of(self.name, self.shapes[key], array) for key, array in values.items()}
        if len({len(array) for array in arrays.values()}) > 1:
            lengths = ", ".join(f"{len(array)} of {key}" for key, array in arrays.items())
            raise OptionError(f"{self.name}: expected equally many objects of each input, found {lengths}")
        return self.predict_loaded(
            {key: Loaded(array, np.zeros(len(array), np.int32)) for key, array in arrays.items()}
        )

    def predict_loaded(self, loaded: Mapping[str, Loaded]) -> pd.DataFrame:
        """Predict objects from what was loaded of them, by input; inputs that are left out count as missing.

        Returns
        -------
        DataFrame
            Columns as `columns` lists them; NaN (or None) where an object has no usable input.
        """
        return self._answered(*self._seen(loaded))

    def usable(self, loaded: Mapping[str, Loaded]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Choose the objects that the network can see; see `Model.usable`.

        Returns
        -------
        encoded : dict of str to ndarray
            What goes into the part of the network behind the encoders, of the m objects with an input.
        flags : ndarray of int32, shape (n,)
        """
        seen, present, flags = self._seen(loaded)
        return self._encoded(seen, present[present.any(axis=1)]), flags

    def _encoded(self, seen: Mapping[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
        """Run the encoders; nothing is spent on what an object lacks: a table may have no images at all."""
        features = {}
        for number, item in enumerate(self.inputs):
            encoder = self.network.get_layer(f"{item.name}{ENCODER}")
            features[item.name] = np.zeros((len(present), *encoder.output.shape[1:]), np.float32)
            if present[:, number].any():
                features[item.name][present[:, number]] = run(encoder, seen[item.name], (item,))
        return features | {PRESENT: present.astype(np.float32)}

    def _seen(self, loaded: Mapping[str, Loaded]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Return the inputs of the objects that have them, by input, which these are, and flags."""
        count = len(next(iter(loaded.values())).flags)
        flags, present = np.zeros(count, np.int32), np.zeros((count, len(self.inputs)), bool)
        seen = {}
        for number, item in enumerate(self.inputs):
            if item.name not in loaded:
                continue
            one = loaded[item.name]
            finite = np.isfinite(one.values).reshape(count, -1).all(axis=1)
            bad = np.where(finite | ((one.flags & NO_PREDICTION) != 0), one.flags, int(Flag.BAD_INPUT))
            flags |= bad.astype(np.int32)
            good = present[:, number] = (bad & NO_PREDICTION) == 0
            if good.any():
                seen[item.name] = np.ascontiguousarray(one.values[good], item.dtype)
                outside = self.training_ranges[item.name].outside(item, seen[item.name])
                flags[good] |= np.where(outside, int(Flag.OUTSIDE_TRAINING), 0).astype(np.int32)
        some = present.any(axis=1)
        # One input that is there is enough for a prediction: the others that lack or are damaged are no reason to flag.
        flags[some] &= ~int(NO_PREDICTION)
        flags[~some & (flags == 0)] = int(Flag.MISSING)
        return seen, present, flags

    def weights(self) -> str:
        """Name the weights, see `model.weights_text`."""
        return weights_text(self.sha256)

    def columns(self) -> list[str]:
        """List the columns of a prediction.

        ``inputs``: those it was made from, joined by ``|``; for each output those of its kind, and its
        ``<output>_flag``; ``flag`` with the bits of all outputs, see `Flag`.
        """
        parts = [[*kind_of(output).columns(), f"{output.name}_flag"] for output in self.outputs]
        return [USED, *(column for part in parts for column in part), "flag"]

    def example(self) -> dict[str, np.ndarray]:
        """Make the input of one object, all zeros, as the stored model wants it."""
        zeros = {item.name: np.zeros((1, *self.shapes[item.name]), item.dtype) for item in self.inputs}
        return zeros | {PRESENT: np.ones((1, len(self.inputs)), np.float32)}

    def raw(self, seen: Mapping[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network.

        Parameters
        ----------
        seen : mapping of str to ndarray, shape (m, ...)
            By input, what the m objects that have it look like.
        present : ndarray of bool, shape (n, inputs)
            Which of the n objects these are.

        Returns
        -------
        dict of str to ndarray
            By output, in the catalogue's unit, float64 ``(n,)``, or probabilities or votes ``(n, size)``.
        """
        if not len(present):
            return {output.name: kind_of(output).nothing() for output in self.outputs}
        found = run(self.network.get_layer(FUSION), self._encoded(seen, present), ())
        target = str(self.reading.get("target", "log"))
        return {output.name: kind_of(output).decode(found[output.name], target) for output in self.outputs}

    def calibration(self, used: str, output: Output) -> Calibration:
        """Choose the calibration for a set of inputs.

        That of the largest set within it which has one: what is seen beyond it makes no prediction worse than its
        intervals say. Without any, that of objects with whatever they have.
        """
        names = set(used.split("|"))
        known = [key for key, found in self.calibrations.items() if output.name in found]
        within = [key for key in known if key and set(key.split("|")) <= names]
        best = max(within, key=lambda key: key.count("|"), default="")
        return self.calibrations[best][output.name]

    def _answered(self, seen: dict[str, np.ndarray], present: np.ndarray, flags: np.ndarray) -> pd.DataFrame:
        names = np.array([item.name for item in self.inputs])
        used = np.array(["|".join(names[row]) for row in present], object)
        good = np.flatnonzero(present.any(axis=1))
        predicted = self.raw(seen, present[good])
        frame, together = pd.DataFrame({USED: used}), flags.copy()
        for output in self.outputs:
            own, parts = flags.copy(), []
            # At least once, so that a piece without any prediction has columns of the same kinds.
            for key in dict.fromkeys(used[good]) or ("",):
                here = good[used[good] == key]
                calibration = self.calibration(key, output)
                values, unsure = kind_of(output).values(calibration, predicted[output.name][used[good] == key])
                parts.append(pd.DataFrame(dict(zip(kind_of(output).columns(), values, strict=True)), index=here))
                own[here[unsure]] |= int(Flag.UNSURE)
            frame = pd.concat([frame, pd.concat(parts).reindex(range(len(flags)))], axis=1)
            frame[f"{output.name}_flag"] = own
            together |= own
        frame["flag"] = together
        return frame[self.columns()]
