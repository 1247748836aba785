"""A sample of objects like those that a model learnt from, small enough to be stored with the model.

They are validation objects: the weights never saw them. What is kept of each is what it takes to say how another survey
differs, and what that does to the model (`common.shift`): its traits, its truths, what the model makes of it. No id.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from common.data.measure import measure
from common.outputs.kinds import kind_of
from sdss_gs.errors import ZooError, first_line
from sdss_gs.schema import Input, Output

LEVELS = 65_534
"""Steps between the least and the largest number of a column: each is known to 1 / 65,534 of their distance."""
MISSING = LEVELS + 1
LARGEST = 1 << 24
"""Numbers of an array at most: a forged file must not fill the memory."""


@dataclass(frozen=True)
class Sample:
    """Some objects as `common.shift` compares them; n objects.

    Parameters
    ----------
    traits : dict of str to ndarray of float64, shape (n, k)
        By input, see `common.shift.traits`; NaN where an object lacks it.
    predicted : dict of str to ndarray
        By output, one value per object, float64 ``(n,)``, class probabilities or votes ``(n, size)``; of probabilities
        a stored sample knows the most probable class and its probability, and shares the rest among the others.
    truth : dict of str to ndarray
        By output, NaN, or of classes −1, where there is none.
    embedding : ndarray of float64, shape (n, m)
        What feeds the model's heads, along the ``m`` axes of `basis`; m is 0 where it was not looked at.
    basis : ndarray of float64, shape (1 + m, width)
        The mean of these features and their principal components.
    """

    traits: dict[str, np.ndarray]
    predicted: dict[str, np.ndarray]
    truth: dict[str, np.ndarray] = field(default_factory=dict)
    embedding: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    basis: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    def __len__(self) -> int:
        return len(next(iter(self.traits.values())))


def packed_sample(sample: Sample, inputs: Sequence[Input], outputs: Sequence[Output]) -> dict[str, object]:
    """Write a sample as JSON has it.

    Parameters
    ----------
    sample : Sample
    inputs : sequence of Input
    outputs : sequence of Output
        Those of the model.
    """
    # Colours follow from the magnitudes.
    kept = {one.name: sample.traits[one.name][:, : len(one.magnitudes) or None] for one in inputs}
    found: dict[str, object] = {"traits": {name: _packed(values) for name, values in kept.items()}}
    for key, values in (("predicted", sample.predicted), ("truth", sample.truth)):
        found[key] = {one.name: _packed(_columns(one, values[one.name])) for one in outputs if one.name in values}
    if sample.embedding.size:
        found |= {"embedding": _packed(sample.embedding), "basis": _packed(sample.basis)}
    return found


def unpacked_sample(name: str, fields: Mapping, inputs: Sequence[Input], outputs: Sequence[Output]) -> Sample:
    """Read a sample that `packed_sample` wrote.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    fields : mapping
    inputs : sequence of Input
    outputs : sequence of Output

    Raises
    ------
    ZooError
        If it is none.
    """
    try:
        of = {one.name: one for one in outputs}
        sample = Sample(
            traits={one.name: _traits(one, _unpacked(fields["traits"][one.name])) for one in inputs},
            predicted={key: _values(of[key], _unpacked(one), True) for key, one in fields["predicted"].items()},
            truth={key: _values(of[key], _unpacked(one), False) for key, one in fields["truth"].items()},
            **{key: _unpacked(fields[key]) for key in ("embedding", "basis") if key in fields},
        )
        parts = (*sample.traits.values(), *sample.predicted.values(), *sample.truth.values())
        if len({len(one) for one in parts}) != 1:
            raise ValueError("columns of different lengths")
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, zlib.error) as error:
        found = f"{type(error).__name__}: {first_line(error)}"
        raise ZooError(f"{name}: expected a reference sample as zoo stores it, found another ({found})") from None
    return sample


def _traits(item: Input, values: np.ndarray) -> np.ndarray:
    return measure(item, values) if item.columns else values


def _columns(output: Output, values: np.ndarray) -> np.ndarray:
    """Write predictions or truths as columns of numbers ``(n, m)`` that spread evenly."""
    if output.classes and values.ndim > 1:
        return np.stack([values.argmax(axis=1), values.max(axis=1)], axis=1)
    return kind_of(output).to_scale(values.astype(np.float64)).reshape(len(values), -1)


def _values(output: Output, columns: np.ndarray, predicted: bool) -> np.ndarray:
    """Undo `_columns`."""
    if output.classes and predicted:
        size = len(output.classes)
        chosen = np.eye(size, dtype=bool)[columns[:, 0].astype(int)]
        return np.where(chosen, columns[:, 1:], (1 - columns[:, 1:]) / (size - 1))
    if output.classes:
        return columns[:, 0].astype(int)
    values = kind_of(output).from_scale(columns)
    return values if output.answers else values[:, 0]


def _packed(values: np.ndarray) -> dict[str, object]:
    """Write numbers ``(n, k)`` column by column as steps between the least and the largest; NaN stays."""
    values = np.where(np.isfinite(values), values, np.nan)
    # Of a column of NaN there is neither.
    low = np.nan_to_num(np.fmin.reduce(values, axis=0, initial=np.inf), posinf=0)
    high = np.nan_to_num(np.fmax.reduce(values, axis=0, initial=-np.inf), neginf=0)
    low, high = (np.array([float(f"{one:.9g}") for one in ends]) for ends in (low, high))
    width = np.where(high > low, high - low, 1)
    steps = np.clip(np.rint((values - low) / width * LEVELS), 0, LEVELS)
    codes = np.where(np.isnan(steps), MISSING, steps).astype("<u2")
    return {
        "shape": list(values.shape),
        "low": low.tolist(),
        "high": high.tolist(),
        "values": base64.b64encode(zlib.compress(codes.T.tobytes(), 9)).decode("ascii"),
    }


def _unpacked(fields: Mapping) -> np.ndarray:
    count, width = (int(one) for one in fields["shape"])
    if not 0 <= count * width <= LARGEST:
        raise ValueError(f"{count} × {width} numbers")
    content = zlib.decompressobj().decompress(base64.b64decode(fields["values"]), 2 * count * width + 1)
    codes = np.frombuffer(content, "<u2").reshape(width, count).T
    low, high = (np.asarray(fields[key], np.float64).reshape(width) for key in ("low", "high"))
    values = low + codes / LEVELS * np.where(high > low, high - low, 1)
    return np.where(codes == MISSING, np.nan, values)
