"""The other survey as a sample: what a model sees of its objects and says of them, and what is amiss with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from common.data.sources import Chunk, Loaded, Source
from common.models.model import Model, load_chunk
from common.models.reference import Sample
from common.outputs.flags import Flag
from common.outputs.kinds import kind_of
from common.shift.sample import embedding, evenly, measured_traits
from sdss_gs.errors import DataError, OptionError

MOST_ROWS, MOST_OTHERS = 100_000, 4_096
"""Objects of a table, and of images or spectra, that are looked at, at most."""


@dataclass(frozen=True)
class Survey:
    """Objects of another survey.

    Parameters
    ----------
    sample : Sample
        Of those that the model could predict.
    count, seen : int
        Objects of the survey; those that were looked at.
    rows : ndarray of int64, shape (n,)
        Positions of the sample's objects in the survey.
    flags : dict of str to int
        How many of those looked at have each bit of `Flag`, by its name.
    missing : dict of str to float
        Share of those looked at that lack a magnitude, by its column.
    """

    sample: Sample
    count: int
    seen: int
    rows: np.ndarray
    flags: dict[str, int]
    missing: dict[str, float]

    @property
    def outside(self) -> int:
        """Number of objects unlike the training objects, of those that the model could predict."""
        return self.flags[Flag.OUTSIDE_TRAINING.name]


def look_at(model: Model, source: Source, basis: np.ndarray) -> Survey:
    """Measure and predict objects of a survey, of a large one some, evenly chosen.

    Parameters
    ----------
    model : Model
    source : Source
    basis : ndarray
        What feeds the heads is projected on, see `Sample`.

    Raises
    ------
    ZooError
        If there is no object, no input of the model, or no object that the model can predict.
    """
    rows, traits, embedded, flags, gaps = [], [], [], [], []
    predicted: dict[str, list[np.ndarray]] = {output.name: [] for output in model.outputs}
    columns, count = [column for item in model.inputs for column in item.magnitudes], 0
    for first, chunk, chosen in _chunks(model, source):
        count = first + len(chunk.ids)
        loaded = {name: thinned(one, chosen) for name, one in load_chunk(model, chunk, source).items()}
        gaps.append(_gaps(model, loaded, len(chosen)))
        seen, present, own = model.usable(loaded)
        flags.append(own)
        good = present.any(axis=1)
        rows.append(first + chosen[good])
        if not good.any():
            continue
        traits.append(measured_traits(model, seen, present[good]))
        answers = model.answers(seen, present[good])
        for output in model.outputs:
            predicted[output.name].append(kind_of(output).point(answers[output.name]))
        if basis.size:
            embedded.append(embedding(model, seen, present[good], basis))
    found = np.concatenate(flags) if flags else np.empty(0, np.int32)
    if not traits:
        most = [f"{int((found & int(bit) > 0).sum()):,} {bit.name}" for bit in Flag if (found & int(bit)).any()]
        raise DataError(f"input: expected objects that {model.name} can predict, found none ({', '.join(most)})")
    sample = Sample(
        traits={name: np.concatenate([one[name] for one in traits]) for name in traits[0]},
        predicted={name: np.concatenate(values) for name, values in predicted.items()},
        embedding=np.concatenate(embedded) if embedded else np.empty((0, 0)),
        basis=basis,
    )
    return finite(Survey(
        # Of text a source only guesses how many rows it has; of what is read in part it knows.
        sample, count if _tables(model, source) else source.count, len(found), np.concatenate(rows),
        {bit.name: int((found & int(bit) > 0).sum()) for bit in Flag},
        dict(zip(columns, np.concatenate(gaps).mean(axis=0).tolist(), strict=True)),
    ))  # fmt: skip


def finite(survey: Survey) -> Survey:
    """Leave out objects for which the model gives no finite number."""
    parts = [one.reshape(len(one), -1) for one in survey.sample.predicted.values()]
    good = np.isfinite(np.concatenate(parts, axis=1)).all(axis=1)
    return survey if good.all() else replace(survey, sample=chosen_of(survey.sample, good), rows=survey.rows[good])


def chosen_of(sample: Sample, which: np.ndarray) -> Sample:
    """Choose objects of a sample by their positions or a mask."""
    return replace(
        sample,
        traits={name: one[which] for name, one in sample.traits.items()},
        predicted={name: one[which] for name, one in sample.predicted.items()},
        truth={name: one[which] for name, one in sample.truth.items()},
        embedding=sample.embedding[which] if sample.embedding.size else sample.embedding,
    )


def _tables(model: Model, source: Source) -> bool:
    return all(item.columns for item in model.inputs if item.name in source.inputs)


def _chunks(model: Model, source: Source) -> Iterator[tuple[int, Chunk, np.ndarray]]:
    """Yield chunks with the position of their first object, and which of their objects are looked at."""
    if not source.count:
        raise DataError("input: expected at least one object, found none")
    names = [item.name for item in model.inputs]
    if not set(names) & set(source.inputs):
        there = ", ".join(source.inputs) or "nothing a model takes"
        raise OptionError(f"{model.name}: expected an input with {' or '.join(names)}, found {there}")
    tables = _tables(model, source)
    if not tables and source.chunk_objects and source.count > MOST_OTHERS:
        # Files are read a chunk at a time: some of the chunks.
        size, whole = source.chunk_objects, -(-source.count // source.chunk_objects)
        for number in evenly(whole, max(1, MOST_OTHERS // size)):
            chunk = next(iter(source.chunks(int(number) * size)))
            yield int(number) * size, chunk, np.arange(len(chunk.ids))
        return
    first, most = 0, MOST_ROWS if tables else MOST_OTHERS
    for chunk in source.chunks():
        count = len(chunk.ids)
        share = min(1.0, most / source.count)
        yield first, chunk, evenly(count, max(1, round(count * share)))
        first += count


def _gaps(model: Model, loaded: dict[str, Loaded], count: int) -> np.ndarray:
    """Tell which magnitudes are missing, bool ``(n, magnitudes)``, in the order of the model's inputs."""
    parts = [np.empty((count, 0), bool)]
    for item in (one for one in model.inputs if one.magnitudes):
        size = len(item.magnitudes)
        values = loaded[item.name].values[:, :size] if item.name in loaded else np.full((count, size), np.nan)
        parts.append(np.isnan(values))
    return np.concatenate(parts, axis=1)


def thinned(loaded: Loaded, chosen: np.ndarray) -> Loaded:
    """Choose objects of what was loaded, by ascending positions ``(n,)``."""
    if len(chosen) == len(loaded.flags):
        return loaded
    given = loaded.photometry
    if given is not None:
        given = replace(
            given,
            dereddened=None if given.dereddened is None else given.dereddened[chosen],
            extinction=None if given.extinction is None else given.extinction[chosen],
        )
    return Loaded(loaded.values[chosen], loaded.flags[chosen], photometry=given)
